{#-
    What may become of a decision, as `told_parts` labels it: what nobody may be singled out by, and
    the labels by which it is told, coarsest first. Counts of one outcome may be taken off those of
    another, approved ones that were frauds off all that were approved; so every combination that
    follows from two of them is a value of one. `hour` is that of a row that is told by the hour, and
    -1 of any other.
-#}
{%- macro decision_outcomes(hour='coalesce(extract(hour from decided_hour), -1)') -%}
    {%- set time = [['decided_month'], ['decided_on'], [hour]] -%}
    {%- set model = [['decided_month'], ['decided_on'], ['model_version', 'model_provider']] -%}
    {{ return({
        'verdict': {
            'values': ["decision = 'approved'", "decision = 'declined'", "decision = 'review'"],
            'levels': time,
        },
        'truth': {'values': truth_values(), 'alike': ['is_fraud'], 'levels': time},
        'chargeback': {'values': chargeback_values(), 'alike': ['is_chargeback'], 'levels': time},
        'cost': {
            'values': [
                'is_positive and not is_fraud and false_positive_cost_minor is not null',
                'is_positive and not is_fraud and false_positive_cost_minor is null',
            ],
            'levels': time[:2],
        },
        'model': {'values': truth_values(), 'alike': ['is_fraud'], 'levels': model},
        'override': {'values': override_values(), 'levels': model},
    }) }}
{%- endmacro -%}

{#- The same of the cohorts that decisions are told by in their month. -#}
{%- macro cohort_outcomes(cohort='coalesce(word, cohort_key)') -%}
    {{ return({
        'truth': {
            'values': truth_values(),
            'alike': ['is_fraud'],
            'levels': [['decided_month', 'dimension'], [cohort]],
        },
    }) }}
{%- endmacro -%}

{#- What was decided, and whether it was right: true of exactly one of these. -#}
{%- macro truth_values() -%}
    {{ return([
        'is_positive and is_fraud',
        'is_positive and not is_fraud',
        'is_positive and is_fraud is null',
        'not is_positive and is_fraud',
        'not is_positive and not is_fraud',
        'not is_positive and is_fraud is null',
    ]) }}
{%- endmacro -%}

{#- The same of what was approved, by whether it was charged back. -#}
{%- macro chargeback_values() -%}
    {%- set found = [] -%}
    {%- for truth in ['is_fraud', 'not is_fraud', 'is_fraud is null'] -%}
        {%- for back in ['is_chargeback', 'not is_chargeback'] -%}
            {%- do found.append("decision = 'approved' and " ~ truth ~ ' and ' ~ back) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro -%}

{#- What somebody decided instead: let through, held, neither of these, or nothing. -#}
{%- macro override_values() -%}
    {{ return([
        is_overridden('released'), is_overridden('held'), is_overridden('other'), 'not ' ~ is_overridden('any')
    ]) }}
{%- endmacro -%}

{#- Condition: a decision was overridden, in this direction. -#}
{%- macro is_overridden(direction) -%}
    {%- set positives = "('" ~ var('fraud_positives') | join("', '") ~ "')" -%}
    {%- set any = 'coalesce(overridden_decision != decision, false)' -%}
    {%- if direction == 'any' -%}
        {{ any }}
    {%- elif direction == 'released' -%}
        ({{ any }} and is_positive and overridden_decision not in {{ positives }})
    {%- elif direction == 'held' -%}
        ({{ any }} and not is_positive and overridden_decision in {{ positives }})
    {%- else -%}
        ({{ any }} and is_positive = (overridden_decision in {{ positives }}))
    {%- endif -%}
{%- endmacro -%}

{#-
    How many decisions of a cell this is true of: null unless each is told of the outcome in a class
    that is whole in the cell, which `level` says.
-#}
{%- macro told_decisions(outcome, condition, level) -%}
    case when min({{ outcome }}_level) >= {{ level }} then count(case when {{ condition }} then 1 end) end
{%- endmacro -%}
