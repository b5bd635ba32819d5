-- A code without a class in the seed would be in none of platform_health_monthly, but be counted.
with

landings as (

    select * from {{ ref('int_platform__landings') }}

),

unclassed as (

    select
        table_name,
        batch_id
    from landings
    where
        refused != 0
        {%- for name in refusal_classes() %}
            + refused_{{ name }}
        {%- endfor %}

)

select * from unclassed
