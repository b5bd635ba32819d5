{#- The column's pseudonyms are of a key domain of their own: none is one of the source's, which they stand for. -#}
{% test own_domain(model, column, source, source_column) %}

select 1 as found
from {{ model }} as restricted
inner join {{ source }} as others on restricted.{{ column }} = others.{{ source_column }}
limit 1

{% endtest %}
