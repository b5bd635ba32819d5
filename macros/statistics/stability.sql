{#-
    Aggregate expressions over the bins of two distributions: the population stability index, and the
    divergence of Kullback and Leibler of the reference against the current one. A share of a bin that
    is empty in one of the two counts as 0.0001, as `filled_share` gives it.
-#}
{%- macro stability_index(reference_share, current_share) -%}
    sum(({{ current_share }} - {{ reference_share }}) * ln({{ current_share }} / {{ reference_share }}))
{%- endmacro -%}

{%- macro kl_divergence(reference_share, current_share) -%}
    sum({{ reference_share }} * ln({{ reference_share }} / {{ current_share }}))
{%- endmacro -%}

{#- Share of a bin, never empty; null where there is nothing at all. -#}
{%- macro filled_share(bin_rows, all_rows) -%}
    case
        when {{ all_rows }} = 0 then null
        when {{ bin_rows }} = 0 then 0.0001
        else {{ ratio(bin_rows, all_rows) }}
    end
{%- endmacro -%}

{#-
    Which of ten bins a number is in, '0' to '9'; a decile belongs to the bin below it. The engines
    interpolate by different formulas, so what differs in the last digits alone is the decile.
-#}
{%- macro decile_bin(value, deciles) -%}
    cast(
        {%- for decile in range(1, 10) %}
        case
            when {{ value }} - {{ deciles }}.decile_{{ decile }} > 1e-12 * abs({{ value }}) then 1 else 0
        end{{ ' +' if not loop.last }}
        {%- endfor %}
        as string
    )
{%- endmacro -%}
