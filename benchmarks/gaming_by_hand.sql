-- The figures of the marts of games, as one would write them for DuckDB alone: no privacy, no
-- history, no other engine. {platform_events} is what was landed.
create table events as
select
    event_id, event_type, user_id, tenant_id as brand, region,
    cast(occurred_at as timestamp) as occurred_at,
    epoch_ms(coalesce(sent_ingested_at, ingested_at)) - epoch_ms(occurred_at) as webhook_lag,
    payload ->> 'bet_id' as bet_id,
    payload ->> 'payment_id' as payment_id,
    payload ->> 'currency' as currency,
    payload ->> 'game_id' as game_id,
    payload ->> 'provider_id' as provider_id,
    payload ->> 'method' as method,
    payload ->> 'reason' as reason,
    cast(payload ->> 'stake_minor' as bigint) as stake,
    cast(payload ->> 'win_minor' as bigint) as win,
    cast(payload ->> 'amount_minor' as bigint) as amount
from read_parquet({platform_events}, union_by_name = true)
qualify row_number() over (partition by event_id order by ingested_at) = 1;

create table bets as
select
    settled.*,
    epoch_ms(settled.occurred_at) - epoch_ms(placed.occurred_at) as settle_lag
from events as settled
left join events as placed
    on settled.bet_id = placed.bet_id and placed.event_type = 'bet.placed'
where
    settled.event_type = 'bet.settled'
    and settled.bet_id not in (select bet_id from events where event_type = 'bet.voided');

create table payments as
select
    payment_id, brand, region, currency, method, any_value(user_id) as user_id,
    min(occurred_at) as intent_at, max(amount) as amount,
    bool_or(event_type = 'payment.captured') as is_captured
from events
where event_type like 'payment.%'
group by all;

create table series as
select
    granularity, time_bucket(span, occurred_at) as ts, brand, region, currency,
    count(*) as bets, count(distinct user_id) as players, sum(stake) as stake, sum(win) as win,
    sum(stake) - sum(win) as ggr, sum(win) / sum(stake) as rtp,
    quantile_cont(settle_lag, 0.95) as settle_p95, quantile_cont(webhook_lag, 0.95) as webhook_p95
from bets
cross join (
    values ('1m', interval 1 minute), ('5m', interval 5 minutes), ('1h', interval 1 hour),
        ('1d', interval 1 day)
) as spans (granularity, span)
group by all;

create table cube as
select
    date_trunc('hour', occurred_at) as hour, brand, region, provider_id, game_id, currency,
    count(*) as bets, count(distinct user_id) as players, sum(stake) as stake, sum(win) as win
from bets
group by all;

create table games as
select
    cast(occurred_at as date) as day, brand, provider_id, game_id, currency,
    count(*) as bets, count(distinct user_id) as players, sum(stake) as stake, sum(win) as win
from bets
group by all;

create table providers as
select
    cast(occurred_at as date) as day, brand, provider_id, game_id,
    count(*) as bets, count(distinct user_id) as players, sum(win) / sum(stake) as rtp,
    quantile_cont(settle_lag, [0.5, 0.95]) as settle_lags,
    1440 - count(distinct date_trunc('minute', occurred_at)) as minutes_without
from bets
group by all;

create table payments_by_hour as
select
    date_trunc('hour', intent_at) as hour, brand, region, method, currency,
    count(*) as intents, count(*) filter (is_captured) as captured, sum(amount) as amount
from payments
group by all;

create table funnel as
select
    cast(intent_at as date) as day, brand, region, method,
    count(distinct user_id) as tried, count(distinct user_id) filter (is_captured) as paid
from payments
group by all;

create table active_days as
select distinct user_id, brand, region, cast(occurred_at as date) as day
from events
where event_type = 'bet.placed' or (event_type = 'wallet.credit' and reason = 'deposit');

create table active as
select kind, date_trunc(kind, day) as start, brand, region, count(distinct user_id) as players
from active_days
cross join (values ('day'), ('week'), ('month')) as kinds (kind)
group by all;

create table rolling as
select
    days.day, brand, region,
    count(distinct user_id) filter (active_days.day > days.day - 7) as wau,
    count(distinct user_id) as mau
from (select distinct day from active_days) as days
inner join active_days on active_days.day between days.day - 29 and days.day
group by all;

create table cohorts as
select
    user_id, brand, kind,
    cast(
        timezone(if(brand = 'lale', 'Europe/Istanbul', 'UTC'), timezone('UTC', joined_at)) as date
    ) as joined_on
from (
    select
        user_id, brand, min(occurred_at) as joined_at,
        if(event_type = 'account.registered', 'registration', 'first_deposit') as kind
    from events
    where
        event_type in ('account.registered', 'payment.captured')
        or (event_type = 'wallet.credit' and reason = 'deposit')
    group by all
);

create table retention as
select kind, joined_on, cohorts.brand, n, count(distinct cohorts.user_id) filter (day = joined_on + cast(n as integer)) as returned
from cohorts
left join active_days using (user_id, brand)
cross join (values (1), (3), (7), (14), (21), (30), (60), (90)) as days (n)
group by all;

create table worth as
select
    kind, joined_on, currency, n,
    sum(amount) filter (cast(occurred_at as date) <= joined_on + cast(n as integer)) / count(distinct user_id) as value
from cohorts
left join events using (user_id, brand)
cross join range(91) as days (n)
where event_type = 'wallet.credit' and reason = 'deposit'
group by all;
