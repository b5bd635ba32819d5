{#- A code of ASCII letters in capitals: only there do the engines agree what the capital is. -#}
{%- macro capitals(expression) -%}
    case when {{ regexp_like(expression, '^[ -~]*$') }} then upper(trim({{ expression }}, ' ')) end
{%- endmacro -%}
