{#- What all marts of claims count of a cell. -#}
{%- macro claim_measures() -%}
    count(*) as claims,
        count(case when is_verified then 1 end) as verified_claims,
        count(case when is_flagged then 1 end) as flagged_claims,
        count(case when is_fraud then 1 end) as confirmed_fraud,
        {{ shown_people('subject_key') }} as subjects,
        max(labelled_at) as updated_at
{%- endmacro -%}
