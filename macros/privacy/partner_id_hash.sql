{#-
    The hash by which gold knows a partner, in a key domain of its own; `Other` stays. It is made with
    the first key of the vault, also after a rotation: gold outlives silver, and one partner is one
    partner in all of its years. A mart that has a domain of its own is made with all keys instead.
-#}
{%- macro partner_id_hash(partner_id, own_domain=none) -%}
    case
        when {{ partner_id }} = 'Other' then 'Other'
        else {{ pseudonymize(partner_id, own_domain or 'gold.partner_id', version=none if own_domain else 1) }}
    end
{%- endmacro -%}
