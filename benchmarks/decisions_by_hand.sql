-- The figures of the marts of decisions, as one would write them for DuckDB alone: no privacy, no
-- history, no other engine. The braces stand for what was landed.
create table known as
with outcomes as (
    select
        transaction_id,
        arg_max(is_fraud_tx, (recorded_at, event_id)) as is_fraud,
        arg_max(chargeback_occurred, (recorded_at, event_id)) as is_chargeback,
        min(recorded_at) as labelled_at
    from (
        from read_parquet({fraud_outcomes}, union_by_name = true)
        qualify row_number() over (partition by event_id order by ingested_at) = 1
    )
    group by all
)
select
    decisions.*,
    decisions.decision in ('declined', 'review') as is_positive,
    coalesce(
        outcomes.is_fraud,
        case
            when decisions.decision = 'approved' and not coalesce(outcomes.is_chargeback, false)
                and decisions."timestamp" < max(decisions."timestamp") over () - interval 30 day
                then false
        end
    ) as was_fraud,
    coalesce(outcomes.is_chargeback, false) as was_charged_back,
    epoch(outcomes.labelled_at) - epoch(decisions."timestamp") as label_delay
from (
    from read_parquet({fraud_decisions}, union_by_name = true)
    qualify row_number() over (partition by event_id order by ingested_at) = 1
) as decisions
left join outcomes on decisions.transaction_id = outcomes.transaction_id;

create macro figures(relation, grain) as table
select
    grain,
    count(*) as decisions,
    count(*) filter (decision = 'approved') as approved,
    count(*) filter (is_positive and was_fraud) as true_positives,
    count(*) filter (is_positive and not was_fraud) as false_positives,
    count(*) filter (not is_positive and not was_fraud) as true_negatives,
    count(*) filter (not is_positive and was_fraud) as false_negatives,
    count(*) filter (was_charged_back) as chargebacks,
    avg(label_delay) / 3600 as label_delay_hours,
    quantile_cont(total_latency_ms, [0.5, 0.95, 0.99]) as total_latency,
    quantile_cont(model_latency_ms, [0.5, 0.95, 0.99]) as model_latency,
    count(distinct customer_id) as people
from query_table(relation)
group by all;

create table hours as
from figures('known', date_trunc('hour', "timestamp"));
create table days as
from figures('known', date_trunc('day', "timestamp"));
create table models as
from figures('known', (date_trunc('day', "timestamp"), model_version, model_provider));
create table rolling as
select
    length,
    day,
    figures.*
from (values (7), (30)) as lengths (length)
cross join (select distinct cast("timestamp" as date) as day from known) as days
cross join lateral (
    select
        count(*) as decisions,
        count(*) filter (is_positive and was_fraud) as true_positives,
        count(*) filter (is_positive and not was_fraud) as false_positives,
        count(*) filter (not is_positive and was_fraud) as false_negatives,
        quantile_cont(total_latency_ms, [0.5, 0.95, 0.99]) as total_latency,
        quantile_cont(model_latency_ms, [0.5, 0.95, 0.99]) as model_latency,
        count(distinct customer_id) as people
    from known
    where cast("timestamp" as date) between days.day - length + 1 and days.day
) as figures;
create table cohorts as
select
    date_trunc('month', "timestamp") as month,
    case grouping(merchant_id, channel, ip_country, device_id, model_version, rule_version, band)
        when 63 then 'merchant' when 95 then 'channel' when 111 then 'geography'
        when 119 then 'device' when 123 then 'model_version' when 125 then 'rule_version'
        else 'risk_band'
    end as dimension,
    coalesce(merchant_id, channel, ip_country, device_id, model_version, rule_version, band)
        as value,
    count(*) as decisions,
    count(*) filter (is_positive and was_fraud) as true_positives,
    count(*) filter (is_positive and not was_fraud) as false_positives,
    count(*) filter (not is_positive and was_fraud) as false_negatives,
    count(distinct customer_id) as people
from (
    select
        *,
        case
            when final_score < 0.3 then 'low' when final_score < 0.6 then 'medium'
            when final_score < 0.8 then 'high' else 'critical'
        end as band
    from known
)
group by grouping sets (
    (month, merchant_id), (month, channel), (month, ip_country), (month, device_id),
    (month, model_version), (month, rule_version), (month, band)
)
having count(*) >= 100;
