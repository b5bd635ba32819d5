{#-
    Join condition: the row `bucket` of a bucket seed holds the number. Half-open, lower edge
    included; null and NaN fall in the set's `unknown` row. A set covers every number exactly once
    (a test holds the seed to that), so an inner join neither loses nor doubles a row.
-#}
{%- macro bucket(expression, bucket, bucket_set) -%}
    {{ bucket }}.bucket_set = '{{ bucket_set }}'
    and case
        when {{ expression }} is null or {{ is_nan(expression) }} then {{ bucket }}.label = 'unknown'
        else
            {{ bucket }}.label != 'unknown'
            and ({{ bucket }}.lower_incl is null or {{ expression }} >= {{ bucket }}.lower_incl)
            and ({{ bucket }}.upper_excl is null or {{ expression }} < {{ bucket }}.upper_excl)
    end
{%- endmacro -%}
