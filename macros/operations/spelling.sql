{#- A word as the vocabulary seeds spell it: lower case, everything else one underscore. -#}
{%- macro spelling(expression) -%}
    nullif(trim({{ regexp_replace_all(lower_case(expression), '[^a-z0-9]+', '_') }}, '_'), '')
{%- endmacro -%}
