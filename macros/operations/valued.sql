{#-
    The rows of a relation with their amounts in euro cents, at the rate of their day, as
    `base_<amount>`, the rate (`minor_rate`), the batch that it landed in (`rate_batch_id`), and why
    they cannot be taken in where they cannot (`fault`, a code of the seed `error_codes`).
-#}
{%- macro valued(relation, amounts) -%}
    select
        rated.*,
        case
            when not rated.is_known_currency then 'currency_unknown'
            when rated.minor_rate is null then 'fx_rate_missing'
            {%- for amount in amounts %}
            when rated.{{ amount }} > {{ largest_amount() }} then 'amount_too_large'
            when rated.{{ amount }} is not null and not coalesce(rated.base_{{ amount }} <= {{ largest_amount() }}, false)
                then 'amount_too_large'
            {%- endfor %}
        end as fault
    from (
        select
            priced.*,
            {%- for amount in amounts %}
            case
                when priced.minor_rate = 1 then priced.{{ amount }}
                else {{ converted('priced.' ~ amount, 'priced.minor_rate') }}
            end as base_{{ amount }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                {{ relation }}.*,
                currencies.currency is not null as is_known_currency,
                case
                    when {{ relation }}.currency = 'EUR' then {{ exact_decimal("'1'") }}
                    else rates.minor_rate
                end as minor_rate,
                rates.batch_id as rate_batch_id
            from {{ relation }}
            left join {{ ref('currencies') }} as currencies
                on {{ relation }}.currency = currencies.currency
            left join {{ ref('int_gaming__fx_rates') }} as rates
                on {{ relation }}.currency = rates.currency and {{ relation }}.occurred_on = rates.rate_date
        ) as priced
    ) as rated
{%- endmacro -%}

{#- Minor units that no honest amount is beyond: of more, sums would not fit into 64 bits. -#}
{%- macro largest_amount() -%}
    1000000000000000
{%- endmacro -%}

{#- An amount that may be summed up before it is judged. DuckDB's `least` passes over a null. -#}
{%- macro summable(amount) -%}
    case when {{ amount }} > {{ largest_amount() }} then {{ largest_amount() }} + 1 else {{ amount }} end
{%- endmacro -%}
