{#-
    Sums of a cell of published wallet entries: what rewards come to, and how much the entries change
    each balance. Each is 0 where there is no such entry, and null where a block does not show its
    own, or `condition` is false of a row.
-#}
{%- macro shown_wallet_sums(condition='true') -%}
    {{ shown_sum(
        'case when is_reward then amount_minor else 0 end',
        '(has_amounts or not is_reward) and ' ~ condition
    ) }} as reward_volume_minor
    {%- for state in ['pending', 'available'] -%},
    {{ shown_sum(
        "case when state = '" ~ state ~ "' then change_minor else 0 end",
        "(has_amounts or state != '" ~ state ~ "') and " ~ condition
    ) }} as {{ state }}_change_minor
    {%- endfor -%}
{%- endmacro -%}
