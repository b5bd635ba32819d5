-- What had a cohort paid in all by day N after the first deposit, in cents?
{{ lifetime_value(
    cohorts="(select * from " ~ ref('int_gaming__cohorts') ~ " where brand = 'cdnow' and cohort_kind = 'first_deposit') as cohorts",
    amounts=ref('int_gaming__deposits'),
    subject='user_key',
    joined_on='cohort_date',
    paid_on=utc_day('occurred_at'),
    amount='net_minor',
    last_day="date '1998-06-30'",
    days=range(541),
    period='month',
    keys=['brand'],
    where="currency = 'USD'"
) }}
order by cohort_date, day
