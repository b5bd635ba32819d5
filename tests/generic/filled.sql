{#-
    None of these columns is null. One test for a list, and one reading of the model, which may be a
    view that costs: the name of a column that fails is shown.
-#}
{% test filled(model, columns) %}

with

null_counts as (

    select
        {% for column in columns -%}
        count(case when {{ column }} is null then 1 end) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ model }}

)

{% for column in columns -%}
select '{{ column }}' as column_name, {{ column }} as rows_null
from null_counts
where {{ column }} > 0
{{ 'union all' if not loop.last }}
{% endfor %}

{% endtest %}
