-- Events of games, and the files they come in: first-N, and new-N with some of a week ago.
select setseed(0.42);
-- Skewed by player and by game, with evenings that are busier than nights.
create table bets as
select
    number,
    cast(floor($players * power(random(), 2)) as bigint) as player,
    cast(floor(200 * power(random(), 3)) as bigint) as game,
    timestamp '$end' - to_seconds(cast(1 + floor($days * random()) as bigint) * 86400)
        + to_seconds(cast(86400 * (random() + random()) / 2 as bigint)) as placed_at,
    cast(10 + floor(5000 * power(random(), 4)) as bigint) as stake,
    random() as luck
from range($bets) as numbers (number);
create table moves as
select
    'b' || number as event_id, 'bet.placed' as event_type, placed_at as occurred_at,
    player,
    json_object('bet_id', number, 'stake_minor', stake, 'game_id', 'g_' || game,
        'provider_id', 'studio_' || game % 20) as payload
from bets
union all
select
    's' || number, 'bet.settled', placed_at + to_milliseconds(cast(8000 * luck as bigint)),
    player,
    json_object('bet_id', number, 'stake_minor', stake, 'game_id', 'g_' || game,
        'provider_id', 'studio_' || game % 20,
        'win_minor', case when luck < 0.47 then 2 * stake else 0 end)
from bets
union all
select
    kind || number, kinds.event_type, placed_at - to_seconds(delay), player,
    json_object('payment_id', number, 'amount_minor', 100 * stake, 'reason', 'deposit',
        'method', case when luck < 0.6 then 'card' else 'wallet' end)
from bets
cross join (
    values ('i', 'payment.intent', 90), ('c', 'payment.captured', 60),
        ('w', 'wallet.credit', 59)
) as kinds (kind, event_type, delay)
where number % 30 = 0
union all
select
    'r' || player, 'account.registered', min(placed_at) - interval 3 minutes, player,
    json_object('country', 'DE')
from bets
group by player;
create table sent as
select * from moves
order by hash(event_id)
limit $all_events;
create table late_ones as
select event_id from sent
where occurred_at between timestamp '$end' - interval $late_days days
    and timestamp '$end' - interval 1 day
order by hash(event_id, 'late')
limit $late;
create table files as
select
    sent.* exclude (number),
    case
        when late_ones.event_id is not null then 'new-' || hash(sent.event_id) % $rounds
        when number > $first
            then 'new-' || (number - $first - 1) * $rounds // $new_in_time
        else 'first-' || (number - 1) * $batches // $first
    end as file
from (select *, row_number() over (order by occurred_at, event_id) as number from sent) as sent
left join late_ones on sent.event_id = late_ones.event_id
