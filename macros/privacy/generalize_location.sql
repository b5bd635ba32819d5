{#-
    A place at one level of city, state, country: `us-ny-albany`, `us-ny`, `us`. What is missing at
    that level is said at the next coarser one; a place without a country is `unknown`.
-#}
{%- macro generalize_location(level, country, state=none, city=none) -%}
    {%- set parts = {'country': [country], 'state': [country, state], 'city': [country, state, city]} -%}
    {%- if level not in parts -%}
        {{ exceptions.raise_compiler_error('generalize_location: level must be city, state or country, not ' ~ level) }}
    {%- endif -%}
    coalesce(
        {%- for depth in range(parts[level] | length, 0, -1) %}
        {% for part in parts[level][:depth] -%}
        nullif(trim({{ regexp_replace_all(lower_case(part), '[[:space:]]+', ' ') }}, ' '), ''){{ " || '-' || " if not loop.last }}
        {%- endfor %},
        {%- endfor %}
        'unknown'
    )
{%- endmacro -%}
