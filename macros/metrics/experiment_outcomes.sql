{#-
    What may become of a decision in an experiment, as `told_parts` labels it: of the experiment, and
    of each variant by itself. What is told of one outcome may be taken off another one, so that those
    that were not authorized are a value too.
-#}
{%- macro experiment_outcomes() -%}
    {%- set levels = [['started_on', 'experiment_id'], ['variant_id']] -%}
    {%- set authorized = "decision = 'approved' and coalesce(is_authorized, false)" -%}
    {{ return({
        'verdict': {
            'values': ["decision = 'approved'", "decision = 'declined'", "decision = 'review'"],
            'levels': levels,
        },
        'truth': {'values': truth_values(), 'alike': ['is_fraud'], 'levels': levels},
        'conversion': {
            'values': ['coalesce(is_converted, false)', 'not coalesce(is_converted, false)'],
            'levels': levels,
        },
        'authorization': {
            'values': [
                authorized,
                "decision = 'approved' and not coalesce(is_authorized, false)",
                "decision = 'declined'",
                "decision = 'review'",
            ],
            'levels': levels,
        },
        'cost': {
            'values': [
                'is_positive and not is_fraud and false_positive_cost_minor is not null',
                'is_positive and not is_fraud and false_positive_cost_minor is null',
            ],
            'levels': levels,
        },
    }) }}
{%- endmacro -%}

{#-
    The metrics of a variant that are ratios of sums over its people, each with what is added up of a
    decision, where it is told, and what is better: `up` or `down`.
-#}
{%- macro experiment_metrics() -%}
    {%- set approved = "decision = 'approved'" -%}
    {%- set found = 'is_positive and is_fraud' -%}
    {{ return({
        'conversion_rate': {
            'of': 'coalesce(is_converted, false)', 'among': 'true', 'told': 'has_conversion', 'better': 'up',
        },
        'auth_success_rate': {
            'of': approved ~ ' and coalesce(is_authorized, false)', 'among': approved,
            'told': 'has_authorization', 'better': 'up',
        },
        'manual_review_rate': {
            'of': "decision = 'review'", 'among': 'true', 'told': 'verdict_level >= 2', 'better': 'down',
        },
        'approval_rate': {'of': approved, 'among': 'true', 'told': 'verdict_level >= 2', 'better': 'up'},
        'precision': {
            'of': found, 'among': 'is_positive and is_fraud is not null', 'told': 'truth_level >= 2', 'better': 'up',
        },
        'recall': {'of': found, 'among': 'is_fraud', 'told': 'truth_level >= 2', 'better': 'up'},
        'fraud_rate': {'of': 'is_fraud', 'among': 'is_fraud is not null', 'told': 'truth_level >= 2', 'better': 'down'},
        'false_positive_cost': {
            'sum': 'false_positive_cost_minor', 'among': 'true', 'told': 'has_cost', 'better': 'down',
        },
    }) }}
{%- endmacro -%}
