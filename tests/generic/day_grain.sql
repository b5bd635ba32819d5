{#-
    The model says nothing finer than a day: no time type but `updated_at`, no clock in a text. The
    version of a pseudonym, as in v1:20, is none.
-#}
{% test day_grain(model) %}

{%- set checks = [] -%}
{%- if execute -%}
    {%- for column in adapter.get_columns_in_relation(model) if column.name | lower != 'updated_at' -%}
        {%- set type = column.data_type | lower -%}
        {%- if 'time' in type -%}
            {%- do checks.append("select '" ~ column.name ~ "' as column_name") -%}
        {%- elif column.is_string() -%}
            {%- do checks.append(
                "select '" ~ column.name ~ "' as column_name from " ~ model ~ " where "
                ~ regexp_like(column.name, '(^|[^v0-9])[0-9]{1,2}:[0-9]{2}') ~ " group by 1"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endif %}

{{ checks | join('\nunion all\n') if checks else nothing_found() }}

{% endtest %}
