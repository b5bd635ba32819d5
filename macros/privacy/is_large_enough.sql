{#-
    Aggregate condition: a cell may be published. It covers at least `k` distinct subjects or, where
    `safe_rows` is given because only safe keys name the cell, that many rows; and as many distinct
    values of each column as `at_least` says.
-#}
{%- macro is_large_enough(subject, k, safe_rows=none, at_least={}) -%}
    (count(distinct {{ subject }}) >= {{ k }}{{ ' or count(*) >= ' ~ safe_rows if safe_rows }})
    {%- for column, number in at_least.items() %}
    and count(distinct {{ column }}) >= {{ number }}
    {%- endfor -%}
{%- endmacro -%}
