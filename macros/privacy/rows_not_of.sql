{#-
    Query for how many rows of a mart are none of another mart: what `k_anonymous` is for one that
    only repeats figures. `keys` maps columns of the mart to columns of the other.
-#}
{%- macro rows_not_of(mart, other, keys) -%}
with

repeated as (

    select {{ keys.keys() | join(', ') }}
    from {{ mart }}

),

original as (

    select {{ keys.values() | join(', ') }}
    from {{ other }}

),

violations as (

    select * from repeated
    except distinct
    select * from original

)

select count(*) as rows_too_small from violations
having count(*) > 0
{%- endmacro -%}
