{#-
    Aggregate condition: a cell may be published. It covers at least `k` distinct subjects or, where
    `safe_rows` is given because only safe keys name the cell, that many rows.
-#}
{%- macro is_large_enough(subject, k, safe_rows=none) -%}
    (count(distinct {{ subject }}) >= {{ k }}{{ ' or count(*) >= ' ~ safe_rows if safe_rows }})
{%- endmacro -%}
