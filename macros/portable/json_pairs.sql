{#-
    Relation of the fields of a JSON object, with columns pair_name and pair_value: numbers and texts,
    as text, and null for any other value. Names with a quotation mark are not told as they are.
-#}
{%- macro json_pairs(document) -%}
    {{ return(adapter.dispatch('json_pairs', 'assay')(document)) }}
{%- endmacro -%}

{%- macro default__json_pairs(document) -%}
    {{ exceptions.raise_compiler_error('json_pairs: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_pairs(document) -%}
    (
        select
            pair_name,
            json_extract_string(json_value({{ document }}, '$."' || pair_name || '"'), '$') as pair_value
        from unnest(json_keys({{ document }})) as names(pair_name)
    ) as pairs
{%- endmacro -%}

{%- macro bigquery__json_pairs(document) -%}
    unnest(array(
        select as struct
            trim(pair_path, '"') as pair_name,
            json_value(safe.parse_json({{ document }})[trim(pair_path, '"')]) as pair_value
        from unnest(json_keys(safe.parse_json({{ document }}), 1)) as pair_path
    )) as pairs
{%- endmacro -%}
