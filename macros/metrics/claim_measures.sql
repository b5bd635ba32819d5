{#- What marts of claims count of a cell of these labels. -#}
{%- macro claim_measures(keys) -%}
    count(*) as claims,
        {{ told_part('suspicion', 'is_flagged', keys) }} as flagged_claims,
        {{ told_part('suspicion', 'is_fraud', keys) }} as confirmed_fraud,
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
{%- endmacro -%}
