{#- Hours since Monday, 0 to 167, of a row of the period `hour`; null in longer ones. -#}
{%- macro hour_of_week(period, period_start) -%}
    {%- set day = utc_day(period_start) -%}
    case
        when {{ period }} = 'hour'
            then 24 * {{ dbt.datediff(iso_week(day), day, 'day') }} + extract(hour from {{ period_start }})
    end
{%- endmacro -%}
