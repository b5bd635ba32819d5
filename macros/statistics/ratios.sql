{#-
    CTEs, the last of which is `into`: of each `cell` of a relation with one row per person, the ratio
    of the sums of `part` and `whole` and its variance by the delta method, from how people differ. A
    person with nothing of the whole is not among its `units`. Where each has 1 of it, these are the
    mean and its squared standard error. People who are all alike have a variance of exactly 0.
-#}
{%- macro ratios_of_people(relation, cell, into) -%}
{%- set cell = cell | join(', ') -%}
{{ into }}_summed as (

    select
        {{ cell }},
        part,
        whole,
        sum(part) over (partition by {{ cell }}) as parts,
        sum(whole) over (partition by {{ cell }}) as wholes
    from {{ relation }}
    where whole > 0

),

{{ into }} as (

    select
        {{ cell }},
        count(*) as units,
        max(parts) / max(wholes) as value,
        sum(power((part * wholes - whole * parts) / wholes, 2)) / power(max(wholes), 2)
        * count(*) / nullif(count(*) - 1, 0) as variance
    from {{ into }}_summed
    group by {{ cell }}

),
{%- endmacro -%}

{#- Degrees of freedom of a sum of two variances of means, after Satterthwaite; null where both are 0. -#}
{%- macro satterthwaite(variance, units, other_variance, other_units) -%}
    power({{ variance }} + {{ other_variance }}, 2) / nullif(
        power({{ variance }}, 2) / nullif({{ units }} - 1, 0)
        + power({{ other_variance }}, 2) / nullif({{ other_units }} - 1, 0),
        0
    )
{%- endmacro -%}
