{#-
    z of the test that two proportions are one, pooled: `successes` of `trials` in each of two groups.
    Null where a group is empty, and where all or none succeed, since nothing can be said of that.
-#}
{%- macro two_proportions_z(successes, trials, other_successes, other_trials) -%}
    {%- set whole = '(' ~ trials ~ ' + ' ~ other_trials ~ ')' -%}
    {%- set pooled = ratio('(' ~ successes ~ ' + ' ~ other_successes ~ ')', whole) -%}
    {%- set variance = '(' ~ pooled ~ ') * (1 - (' ~ pooled ~ ')) * (' ~ ratio('1', trials) ~ ' + ' ~ ratio('1', other_trials) ~ ')' -%}
    ({{ ratio(successes, trials) }} - {{ ratio(other_successes, other_trials) }})
    / nullif(sqrt({{ variance }}), 0)
{%- endmacro -%}

{#-
    CTEs, the last of which is `into`: the tests of a relation with `adjusted_p_value`, corrected for
    their number after Holm within each value of `family`. A test whose `p_value` is null is none.
-#}
{%- macro holm_corrected(relation, family, into) -%}
{{ into }}_ranked as (

    select
        *,
        (
            count(p_value) over (partition by {{ family | join(', ') }})
            - rank() over (partition by {{ family | join(', ') }}, p_value is null order by p_value)
            + 1
        ) * p_value as stepped
    from {{ relation }}

),

{{ into }} as (

    select
        *,
        case
            when p_value is not null
                then least(
                    1,
                    max(stepped) over (
                        partition by {{ family | join(', ') }}, p_value is null
                        order by p_value
                        range between unbounded preceding and current row
                    )
                )
        end as adjusted_p_value
    from {{ into }}_ranked

),
{%- endmacro -%}
