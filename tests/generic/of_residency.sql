{#-
    No row is of a region of another residency than the home's, which its vault names. The region is
    in lower case and without white space, as in the seed.
-#}
{% test of_residency(model, column_name) %}

with

events as (

    select * from {{ model }}

),

regions as (

    select * from {{ ref('regions') }}

),

foreign_rows as (

    select count(*) as found
    from events
    inner join regions on events.{{ column_name }} = regions.region
    where regions.residency not in (select salts.region from {{ vault_salts() }} as salts)
)

select * from foreign_rows
where found > 0

{% endtest %}
