{#-
    What may become of a claim, as `told_parts` labels it: what nobody may be singled out by, and the
    labels by which it is told, coarsest first. Whoever reads how many are flagged and how many are
    frauds may know that all frauds are flagged, and subtract. So this is one outcome, and its
    difference is one of its values. How often the model errs is told in the same classes, where also
    all combinations of the two pass.
-#}
{%- macro claim_outcomes() -%}
    {%- set is_fraud = 'coalesce(is_fraud, false)' -%}
    {{ return({
        'verified': {
            'values': ['is_verified', 'not is_verified'],
            'alike': [],
            'levels': [['claimed_month', 'partner_id'], ['claim_type'], ['region'], ['told_period', 'told_start']],
        },
        'suspicion': {
            'values': ['is_flagged', 'not is_flagged', is_fraud, 'not ' ~ is_fraud, 'is_flagged and not ' ~ is_fraud],
            'alike': ['is_flagged', 'is_fraud'],
            'levels': [
                ['claimed_month'], ['partner_id'], ['claim_type'], ['region'], ['told_period', 'told_start'],
                ['amount_bucket'],
            ],
            'within': {
                'errors': [
                    'is_flagged and is_fraud',
                    'is_flagged and not is_fraud',
                    'is_flagged and is_fraud is null',
                    'not is_flagged and is_fraud',
                    'not is_flagged and not is_fraud',
                    'not is_flagged and is_fraud is null',
                ],
            },
        },
    }) }}
{%- endmacro -%}

{#-
    How many claims of a cell have this outcome: null unless each of its claims is told of it in a
    class that is whole in the cell. `keys` are the labels by which the cell is grouped; days and
    weeks are those that are told. What is told `within` the classes of an outcome is named by it.
-#}
{%- macro told_part(outcome, condition, keys, within=none) -%}
    {%- set needed = keys | map('replace', 'claimed_on', 'told_start') | map('replace', 'claimed_week', 'told_start') | list -%}
    {%- set state = namespace(known=[], level=none) -%}
    {%- for columns in claim_outcomes()[outcome].levels -%}
        {%- set state.known = state.known + columns -%}
        {%- if state.level is none and needed | reject('in', state.known) | list == [] -%}
            {%- set state.level = loop.index -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if state.level is none -%}
        {{ exceptions.raise_compiler_error('told_part: ' ~ outcome ~ ' is not told by ' ~ keys | join(', ')) }}
    {%- endif -%}
    case
        when min({{ within or outcome }}_level) >= {{ state.level }}
            then count(case when {{ condition }} then 1 end)
    end
{%- endmacro -%}
