{#-
    The column's pseudonyms are of a key domain of their own: none is one of the source's, which they
    stand for; Other is no pseudonym. Counted for the reason that `one_key` counts: the source may be
    a view.
-#}
{% test own_domain(model, column, source, source_column) %}

select count(*) as found
from {{ model }} as restricted
inner join {{ source }} as others on restricted.{{ column }} = others.{{ source_column }}
where restricted.{{ column }} != 'Other'
having count(*) > 0

{% endtest %}
