{#-
    What becomes of a decision when it is replayed, as `told_parts` labels it: every pair of what was
    decided and what would be, and every such pair of held or let through with what came of it, since
    counts of one may be taken off those of another.
-#}
{%- macro replay_outcomes() -%}
    {%- set verdicts = [] -%}
    {%- for before in ['approved', 'declined', 'review'] -%}
        {%- for after in ['approved', 'declined', 'review'] -%}
            {%- do verdicts.append("decision = '" ~ before ~ "' and replay_decision = '" ~ after ~ "'") -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set truths = [] -%}
    {%- for after in ['is_replay_positive', 'not is_replay_positive'] -%}
        {%- for value in truth_values() -%}
            {%- do truths.append(after ~ ' and ' ~ value) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set scenario = [['starts_on', 'scenario_id']] -%}
    {{ return({
        'verdict': {'values': verdicts, 'levels': scenario},
        'truth': {'values': truths, 'alike': ['is_fraud'], 'levels': scenario},
        'change': {
            'values': ['stands_for_transaction'],
            'levels': scenario + [['decision', 'replay_decision'], ['score_change']],
        },
    }) }}
{%- endmacro -%}
