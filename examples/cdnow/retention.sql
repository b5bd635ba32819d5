-- How many deposit again a month after their first deposit, two months after it, and so on?
-- A month is 30 days, give or take 15.
{{ retention(
    cohorts="(select * from " ~ ref('int_gaming__cohorts') ~ " where brand = 'cdnow' and cohort_kind = 'first_deposit') as cohorts",
    activity=ref('int_gaming__activity'),
    subject='user_key',
    joined_on='cohort_date',
    active_on='active_local_on',
    last_day="date '1998-06-30'",
    days=range(30, 541, 30),
    tolerance_days=15,
    period='month',
    keys=['brand'],
    where="activity_kind = 'deposit'"
) }}
order by cohort_date, day
