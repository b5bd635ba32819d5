{{ config(materialized='view') }}

-- In the seed a rate has no batch; one that landed stands before it.
with

told as (

    select
        rate_date,
        currency,
        rate,
        cast(null as string) as batch_id,
        0 as line_number,
        cast(null as timestamp) as ingested_at,
        false as is_landed
    from {{ ref('known_fx_rates') }}
    union all
    select
        rate_date,
        {{ capitals('currency') }} as currency,
        trim(rate, ' ') as rate,
        batch_id,
        line_number,
        {{ utc_timestamp('ingested_at') }} as ingested_at,
        true as is_landed
    from {{ source('bronze', 'fx_rates') }}

),

-- Euro has no rate: it is what all others are converted to.
known as (

    select
        told.*,
        currencies.exponent,
        {{ exact_decimal('told.rate') }} as base_rate
    from told
    inner join {{ ref('currencies') }} as currencies on told.currency = currencies.currency
    where
        told.currency != 'EUR'
        and {{ regexp_like('told.rate', '^[0-9]{1,5}([.][0-9]{1,8})?$') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by rate_date, currency
            order by is_landed desc, ingested_at asc, batch_id asc, line_number asc
        ) as place
    from known
    where base_rate > 0

),

fx_rates as (

    select
        rate_date,
        currency,
        {{ exact_decimal(
            'base_rate * ' ~ exact_decimal("case exponent when 0 then '100' when 3 then '0.1' else '1' end")
        ) }} as minor_rate,
        batch_id,
        is_landed
    from ranked
    where place = 1

)

select * from fx_rates
