{#- Sum of a cell, null where a block of it does not show its own. -#}
{%- macro shown_sum(amount, has_amounts='has_amounts') -%}
    case
        when min(case when {{ has_amounts }} then 1 else 0 end) = 1
            then cast(sum({{ amount }}) as int64)
    end
{%- endmacro -%}
