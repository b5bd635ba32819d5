{{ config(materialized='table') }}

{#- Figures of `metrics`, by their names, of each kind of requests; all are of `access`. -#}
{%- set of_metrics = [
    {'requests': 'real_attempts', 'errors': 'attempt_errors', 'p95_ms': 'attempt_p95_ms'},
    {'requests': 'deposit_attempts', 'errors': 'deposit_errors', 'p95_ms': 'deposit_p95_ms'},
] %}
{%- set told_names = [] %}
{%- for names in of_metrics %}
    {%- do told_names.extend(names.values()) %}
{%- endfor %}
{%- set counts = ['events', 'accepted', 'duplicates', 'refused'] %}
{%- set classes = refusal_classes() %}
{%- set row = ['period_start', 'domain'] %}

-- Made of what is kept as long as gold, hence a table.
with

losses as (

    select
        *,
        {{ month_start('period_start') }} as landing_month,
        {{ domain_of('table_name') }} as domain
    from {{ ref('loss_ledger') }}

),

landings as (

    select * from {{ ref('int_platform__monthly_landings') }}

),

runs as (

    select
        period_start,
        'platform' as domain,
        failed_runs,
        updated_at
    from {{ ref('int_platform__monthly_runs') }}

),

told_metrics as (

    select
        {{ month_start(utc_day('period_start')) }} as request_month,
        name as metric_name,
        value,
        updated_at
    from {{ ref('metrics') }}
    where
        period = 'month'
        and name in (
            {%- for name in told_names %}
                '{{ name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )

),

books as (

    select
        landing_month as period_start,
        domain,
        cast(sum(received) as int64) as events,
        cast(sum(accepted) as int64) as accepted,
        cast(sum(duplicates) as int64) as duplicates,
        cast(sum(rejected) as int64) as refused,
        case
            when count(numbers) = count(*)
                then {{ ratio('sum(numbers)', 'sum(numbers + missing)') }}
        end as completeness,
        max(updated_at) as updated_at
    from losses
    group by landing_month, domain

),

requests_by_kind as (

    {% for names in of_metrics %}
        select
            request_month,
            'access' as domain,
            {%- for figure, name in names.items() %}
                max(case when metric_name = '{{ name }}' then value end) as {{ figure }},
            {%- endfor %}
            max(updated_at) as updated_at
        from told_metrics
        group by request_month
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- A percentile of several kinds is not known from those of each; the highest holds for all.
requests as (

    select
        request_month as period_start,
        domain,
        1000 * {{ ratio('sum(errors)', 'sum(requests)') }} as errors_per_1000,
        case
            when count(p95_ms) = count(case when requests > 0 then 1 end)
                then cast(max(p95_ms) as int64)
        end as p95_ms,
        max(updated_at) as updated_at
    from requests_by_kind
    group by request_month, domain

),

domains as (

    {% for domain in event_domains() + ['platform'] %}
        select '{{ domain }}' as domain
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

months as (

    select period_start from books
    union distinct
    select period_start from runs
    union distinct
    select period_start from requests

),

cells as (

    select
        months.period_start,
        domains.domain,
        domains.domain != 'platform' as has_events,
        months.period_start < max(months.period_start) over () as is_complete
    from months
    cross join domains

),

joined as (

    select
        cells.*,
        {%- for name in counts %}
            case when cells.has_events then coalesce(books.{{ name }}, 0) end as {{ name }},
        {%- endfor %}
        {%- for name in classes %}
            coalesce(landings.refused_{{ name }}, 0) as refused_{{ name }},
        {%- endfor %}
        cells.has_events
        and coalesce(books.accepted, 0) = coalesce(landings.accepted, 0)
        and coalesce(books.refused, 0) = coalesce(landings.refused, 0) as is_whole,
        books.completeness,
        landings.freshness_p95_seconds,
        runs.failed_runs,
        requests.errors_per_1000,
        requests.p95_ms,
        greatest(
            cast(cells.period_start as timestamp),
            coalesce(books.updated_at, cast(cells.period_start as timestamp)),
            coalesce(landings.updated_at, cast(cells.period_start as timestamp)),
            coalesce(runs.updated_at, cast(cells.period_start as timestamp)),
            coalesce(requests.updated_at, cast(cells.period_start as timestamp))
        ) as updated_at
    from cells
    left join books on {{ same('cells', 'books', row) }}
    left join landings on {{ same('cells', 'landings', row) }}
    left join runs on {{ same('cells', 'runs', row) }}
    left join requests on {{ same('cells', 'requests', row) }}

),

-- What began to be counted within a month is a part of it, and says nothing of it.
health as (

    select
        {{ row | join(', ') }},
        {{ counts | join(', ') }},
        {%- for name in classes %}
            case when is_whole then refused_{{ name }} end as refused_{{ name }},
        {%- endfor %}
        completeness,
        case
            when is_whole and accepted >= {{ var('safe_rows') }} then freshness_p95_seconds
        end as freshness_p95_seconds,
        failed_runs,
        errors_per_1000,
        p95_ms,
        is_complete,
        updated_at
    from joined

)

select * from health
