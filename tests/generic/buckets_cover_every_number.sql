{#-
    The buckets of each set follow each other without gap or overlap, open at both ends. Otherwise
    the join of `bucket` would lose rows or double them.
-#}
{% test buckets_cover_every_number(model, bucket_set) %}

with

numbered as (

    select
        {{ bucket_set }} as bucket_set,
        lower_incl,
        upper_excl,
        lag(upper_excl) over (partition by {{ bucket_set }} order by sort_order) as previous_upper,
        row_number() over (partition by {{ bucket_set }} order by sort_order) as place,
        row_number() over (partition by {{ bucket_set }} order by sort_order desc) as place_from_end
    from {{ model }}
    where label != 'unknown'

)

select distinct bucket_set
from numbered
where
    (place = 1) != (lower_incl is null)
    or (place_from_end = 1) != (upper_excl is null)
    or (place > 1 and lower_incl != previous_upper)
    or lower_incl >= upper_excl

{% endtest %}
