{#-
    Operand of a join: the fields of a JSON object, `name` and `text`, one row each. Of what is no
    object there are none; a value that is an object or a list itself has a null for its text.
-#}
{%- macro json_entries(document, alias) -%}
    {{ return(adapter.dispatch('json_entries', 'assay')(document, alias)) }}
{%- endmacro -%}

{%- macro default__json_entries(document, alias) -%}
    {{ exceptions.raise_compiler_error('json_entries: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_entries(document, alias) -%}
    (
        select
            entries.key as name,
            case when entries.type not in ('OBJECT', 'ARRAY') then entries.value ->> '$' end as text
        from json_each(case when json_type({{ document }}) = 'OBJECT' then {{ document }} end) as entries
    ) as {{ alias }}
{%- endmacro -%}

{%- macro bigquery__json_entries(document, alias) -%}
    {%- set parsed = "safe.parse_json(" ~ document ~ ", wide_number_mode => 'round')" -%}
    unnest(array(
        select as struct
            trim(path, '"') as name,
            json_value({{ parsed }}[trim(path, '"')]) as text
        from unnest(case when json_type({{ parsed }}) = 'object' then json_keys({{ parsed }}, 1) end) as path
    )) as {{ alias }}
{%- endmacro -%}
