{#- A sent domain in lower case; `unknown` where it is none, since it is published as a safe key. -#}
{%- macro host_name(expression) -%}
    case
        when {{ regexp_like(squeezed(expression), '^[a-z0-9.:_-]{1,253}$') }}
            then {{ squeezed(expression) }}
        else 'unknown'
    end
{%- endmacro -%}
