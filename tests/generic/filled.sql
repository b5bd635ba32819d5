{#- None of these columns is null. One test for a list: the name of a column that fails is shown. -#}
{% test filled(model, columns) %}

{% for column in columns -%}
select '{{ column }}' as column_name, count(*) as rows_null
from {{ model }}
where {{ column }} is null
having count(*) > 0
{{ 'union all' if not loop.last }}
{% endfor %}

{% endtest %}
