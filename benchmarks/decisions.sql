-- Decisions in the order of their time, and outcomes of them; each row is of the part that it lands
-- with: first, or new-N.
select setseed(0.42);
create table drawn as
select
    number,
    timestamp '$begin' + to_microseconds(cast(number * $seconds * 1000000.0 / $decisions as bigint))
        as decided_at,
    cast(floor($customers * power(random(), 2)) as bigint) as customer,
    cast(floor(300 * power(random(), 3)) as bigint) as merchant,
    random() as score,
    random() as luck,
    random() as chance,
    random() as speed
from range($decisions) as numbers (number);
create table placed as
select
    *,
    power(score, 4) > luck as is_fraud,
    case when score > 0.93 then 'declined' when score > 0.85 then 'review' else 'approved' end
        as decision,
    case when number < $first then 'first' else 'new-' || (number - $first) // $new end as part
from drawn;
create table fraud_decisions as
select
    part,
    'd' || number as event_id,
    't' || number as transaction_id,
    decided_at as "timestamp",
    decision,
    score as model_score,
    score as final_score,
    case when number % 5 = 0 then 'v2' else 'v1' end as model_version,
    'r1' as rule_version,
    'local' as model_provider,
    'm' || merchant as merchant_id,
    case merchant % 3 when 0 then 'travel' when 1 then 'retail' else 'games' end
        as merchant_category,
    case when luck < 0.7 then 'web' else 'app' end as channel,
    'c' || customer as customer_id,
    'i' || customer as device_id,
    case when customer % 4 = 0 then 'FR' else 'DE' end as ip_country,
    'EUR' as currency,
    5 + 40 * speed as model_latency_ms,
    8 + 60 * speed * chance as total_latency_ms,
    json_object('amount', round(1000 * power(luck, 3), 2), 'age_days', floor(900 * chance))
        as features
from placed;
-- A third of the approved is looked into, and nearly all that was held.
create table told as
select
    number,
    is_fraud,
    decision,
    decided_at + to_microseconds(cast(86400e6 * 30 * power(chance, 2) as bigint)) as recorded_at
from placed
where (is_fraud or decision != 'approved' or luck > 0.9) and speed < 0.9;
create table fraud_outcomes as
select
    case
        when recorded_at < (select min(decided_at) from placed where part = 'new-0') then 'first'
        else coalesce(
            'new-' || (
                select max(number) from (values (0), (1), (2)) as rounds (number)
                where told.recorded_at
                    >= (select min(decided_at) from placed where part = 'new-' || rounds.number)
            ),
            'new-0'
        )
    end as part,
    'o' || number as event_id,
    't' || number as transaction_id,
    recorded_at,
    is_fraud as is_fraud_tx,
    is_fraud and decision = 'approved' as chargeback_occurred
from told
where recorded_at <= (select max(decided_at) from placed);
