{#-
    What a decision may have of a feature on a day, as `told_parts` labels it: each finer than the one
    before, so that what is told of two of them never leaves a few.
-#}
{%- macro feature_outcomes() -%}
    {%- set day = [['decided_on', 'feature']] -%}
    {%- set broken = ["state = 'missing'", "state = 'wrong_type'", "state = 'out_of_range'"] -%}
    {{ return({
        'null': {'values': ["state = 'missing'", "state != 'missing'"], 'levels': day},
        'schema': {'values': broken + ["state in ('unseen', 'expected')"], 'levels': day},
        'unseen': {'values': broken + ["state = 'unseen'", "state = 'expected'"], 'levels': day},
    }) }}
{%- endmacro -%}
