{#-
    Every release is told with the noise that its epsilon promises and with an interval around each
    figure, and the releases about a year have spent no more than its budget. Noise by GoogleSQL is
    twice as loud. Says how many releases fail.
-#}
{% test differentially_private(model) %}
{{ config(fail_calc='coalesce(sum(releases_too_open), 0)') }}

with

releases as (

    select
        release_id,
        extract(year from max(period_start)) as release_year,
        max(epsilon) as epsilon,
        min(epsilon * noise_scale / cells_per_person) as loudness,
        max(
            case
                when claimants is null and lower_bound is null and upper_bound is null then 0
                when lower_bound < claimants and claimants < upper_bound then 0
                else 1
            end
        ) as lacks_interval
    from {{ model }}
    group by release_id

),

spent as (

    select
        *,
        sum(epsilon) over (partition by release_year) as spent_of_year
    from releases

)

select count(*) as releases_too_open from spent
where
    epsilon <= 0
    or loudness < 0.999999
    or lacks_interval = 1
    or spent_of_year > {{ var('public_release')['yearly_epsilon'] }} + 0.000001
having count(*) > 0

{% endtest %}
