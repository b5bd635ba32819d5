{#- told_parts of several outcomes, one after the other: each says what that asks for. -#}
{%- macro told_outcomes(relation, outcomes, subject, into) -%}
{%- for outcome, told in outcomes.items() -%}
{{ told_parts(
    relation=relation if loop.first else 'told_' ~ loop.index0,
    outcome=outcome,
    values=told['values'],
    levels=told.levels,
    alike=told.alike or [],
    within=told.within or {},
    subject=subject,
    into=into if loop.last else 'told_' ~ loop.index
) }}
{%- if not loop.last %}

{% endif -%}
{%- endfor -%}
{%- endmacro -%}
