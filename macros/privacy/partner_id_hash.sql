{#-
    The hash by which gold knows a partner, in a key domain of its own; `Other` stays. It is made with
    the first key of the vault, also after a rotation: gold outlives silver, and one partner is one
    partner in all of its years.
-#}
{%- macro partner_id_hash(partner_id) -%}
    case
        when {{ partner_id }} = 'Other' then 'Other'
        else {{ pseudonymize(partner_id, 'gold.partner_id', version=1) }}
    end
{%- endmacro -%}
