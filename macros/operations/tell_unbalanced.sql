{#- Log which batches do not add up, and why: a red test alone would not name them. -#}
{%- macro tell_unbalanced() -%}
    {%- set books = ref('int_platform__batch_books') -%}
    {%- if execute and load_relation(books) -%}
        {%- set faults = run_query(
            'select distinct table_name, batch_id, problem from ' ~ books
            ~ ' where problem is not null order by table_name, batch_id limit 10'
        ).rows -%}
        {%- for fault in faults -%}
            {%- do log('Batch ' ~ fault[1] ~ ' of ' ~ fault[0] ~ ': ' ~ fault[2] ~ '. Run: assay ledger', info=true) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
