{#-
    Carries every pseudonym of silver over to the live key of the vault. Runs before each build and
    at the end of `assay vault rotate`.

    Each value says the version of its key, so whatever part of silver was left behind, by a
    rotation that was killed or by a restored warehouse, is found and completed. A build in which
    versions would mix, because the vault lacks the key that silver was made with, is stopped.
-#}
{%- macro rekey_silver() -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'retry', 'snapshot', 'run-operation'] -%}
        {%- set keys = run_query(
            'select version, key_id, retired_at is null as is_live from ' ~ vault_salts() ~ ' order by version'
        ).rows -%}
        {%- set live = keys | selectattr('is_live') | list -%}
        {%- if live | length == 0 -%}
            {{ stop('No key in the vault. Run assay vault status.') }}
        {%- elif live | length > 1 -%}
            {{ stop('The vault has ' ~ live | length ~ ' live keys, not one. Run assay vault status.') }}
        {%- endif -%}
        {%- set made_with = target.schema ~ '.silver_key' -%}
        {%- set made = adapter.get_relation(target.database, target.schema, 'silver_key') -%}
        {%- set wanted = run_query('select key_id from ' ~ made_with).columns[0].values() if made else [] -%}
        {%- for key_id in wanted if key_id not in keys | map(attribute='key_id') | list -%}
            {{ stop('The vault does not hold the key that silver was made with. Run: assay vault restore FILE') }}
        {%- endfor -%}
        {{ carry_over(live[0]['version'] | int, keys | map(attribute='version') | map('int') | list) }}
        {%- do run_committed(
            'create or replace table ' ~ made_with ~ ' as select region, version, key_id from '
            ~ vault_salts() ~ ' where retired_at is null'
        ) -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro carry_over(live, versions) -%}
    {%- set behind = [] -%}
    {%- for table in pseudonym_columns() if table.relation.is_table -%}
        {%- set columns = [] -%}
        {%- for column in table.columns if run_query(find_other_version(table.relation, column, [live])).rows -%}
            {%- if run_query(find_other_version(table.relation, column, versions)).rows -%}
                {{ stop(
                    table.relation.schema ~ '.' ~ table.relation.identifier ~ '.' ~ column
                    ~ ' holds pseudonyms of a key that the vault does not have. Run: assay vault restore FILE'
                ) }}
            {%- endif -%}
            {%- do columns.append(column) -%}
        {%- endfor -%}
        {%- if columns -%}
            {%- do behind.append({'relation': table.relation, 'columns': columns}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for table in behind -%}
        {%- do log(
            'Carrying pseudonyms over to key version ' ~ live ~ ': ' ~ table.relation.identifier
            ~ ', table ' ~ loop.index ~ ' of ' ~ behind | length,
            info=true
        ) -%}
        {%- set changes = [] -%}
        {%- for column in table.columns -%}
            {%- do changes.append(column ~ ' = ' ~ carried_over(column, live)) -%}
        {%- endfor -%}
        {%- do run_committed('update ' ~ table.relation ~ ' set ' ~ changes | join(', ') ~ ' where true') -%}
    {%- endfor -%}
{%- endmacro -%}

{#- Each statement for itself: what is done stays done, and the next run does the rest. -#}
{%- macro run_committed(sql) -%}
    {%- call statement('committed') -%}
        {{ sql }}
    {%- endcall -%}
    {{ commit() }}
{%- endmacro -%}

{#- A pseudonym of any earlier version under a later key. -#}
{%- macro carried_over(column, live) -%}
    case
        {%- for version in range(1, live) %}
        {%- set links = namespace(pseudonym=column) %}
        {%- for key in range(version + 1, live + 1) %}
        {%- set links.pseudonym = key_link(links.pseudonym, key) %}
        {%- endfor %}
        when starts_with({{ column }}, 'v{{ version }}:') then {{ links.pseudonym }}
        {%- endfor %}
        else {{ column }}
    end
{%- endmacro -%}

{#-
    A row if the column has a value outside the versions. Ranges, not functions: the engine then
    answers from the smallest and largest value of each block, without reading the column.
-#}
{%- macro find_other_version(relation, column, versions) -%}
    {%- set edges = [] -%}
    {%- for version in versions -%}
        {%- do edges.append("'v" ~ version ~ ":'") -%}
        {%- do edges.append("'v" ~ version ~ ";'") -%}
    {%- endfor -%}
    {%- set edges = edges | sort -%}
    select 1 as found from {{ relation }} where {{ column }} < {{ edges[0] }}
    union all
    select 1 as found from {{ relation }} where {{ column }} >= {{ edges[-1] }}
    {%- for at in range(1, edges | length - 1, 2) %}
    union all
    select 1 as found from {{ relation }} where {{ column }} >= {{ edges[at] }} and {{ column }} < {{ edges[at + 1] }}
    {%- endfor %}
    limit 1
{%- endmacro -%}

{#-
    What exists, tables and views, and has pseudonyms in columns of that privacy class.
-#}
{%- macro pseudonym_columns() -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ['model', 'snapshot'] -%}
        {%- set declared = pseudonyms_of(node) -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) if declared -%}
        {%- if relation -%}
            {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
            {%- do found.append({'relation': relation, 'columns': declared | select('in', there) | list}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro -%}

{#- Stop with one line, which `assay` shows as it is: it must not hold a value of an event. -#}
{%- macro stop(reason) -%}
    {%- do log('Stopped: ' ~ reason, info=true) -%}
    {{ exceptions.raise_compiler_error(reason) }}
{%- endmacro -%}

{#- Names of the columns that a model declares as pseudonyms. -#}
{%- macro pseudonyms_of(node) -%}
    {%- set declared = [] -%}
    {%- for column in node.columns.values() -%}
        {%- if (column.config.get('meta') or column.meta or {}).get('privacy') == 'pseudonym' -%}
            {%- do declared.append(column.name | lower) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(declared) }}
{%- endmacro -%}
