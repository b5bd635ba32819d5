{#-
    Figures of a confusion matrix from its counts: null where there is nothing to divide by, and where
    a count is not told. F1 is 2 TP / (2 TP + FP + FN), so that it is 0 and not null where something
    was to be found and nothing was.
-#}
{%- macro precision_of(true_positives, false_positives) -%}
    {{ ratio(true_positives, '(' ~ true_positives ~ ' + ' ~ false_positives ~ ')') }}
{%- endmacro -%}

{%- macro recall_of(true_positives, false_negatives) -%}
    {{ ratio(true_positives, '(' ~ true_positives ~ ' + ' ~ false_negatives ~ ')') }}
{%- endmacro -%}

{%- macro f1_of(true_positives, false_positives, false_negatives) -%}
    {{ ratio(
        '(2 * ' ~ true_positives ~ ')',
        '(2 * ' ~ true_positives ~ ' + ' ~ false_positives ~ ' + ' ~ false_negatives ~ ')'
    ) }}
{%- endmacro -%}

{%- macro accuracy_of(true_positives, false_positives, true_negatives, false_negatives) -%}
    {{ ratio(
        '(' ~ true_positives ~ ' + ' ~ true_negatives ~ ')',
        '(' ~ [true_positives, false_positives, true_negatives, false_negatives] | join(' + ') ~ ')'
    ) }}
{%- endmacro -%}

{#- The four counts of a cell of published decisions, told at this level of an outcome, and what has no label. -#}
{%- macro confusion_counts(outcome, level) -%}
    {{ told_decisions(outcome, 'is_positive and is_fraud', level) }} as true_positives,
        {{ told_decisions(outcome, 'is_positive and not is_fraud', level) }} as false_positives,
        {{ told_decisions(outcome, 'not is_positive and not is_fraud', level) }} as true_negatives,
        {{ told_decisions(outcome, 'not is_positive and is_fraud', level) }} as false_negatives,
        {{ told_decisions(outcome, 'is_fraud is not null', level) }} as labelled,
        {{ told_decisions(outcome, 'is_fraud is null', level) }} as unlabelled
{%- endmacro -%}
