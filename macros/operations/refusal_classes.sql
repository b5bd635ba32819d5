{#- Classes by which refused records are counted: those of `refused_as` in seeds/error_codes.csv. -#}
{%- macro refusal_classes() -%}
    {{ return(['malformed', 'schema', 'forbidden', 'oversized', 'failed']) }}
{%- endmacro -%}
