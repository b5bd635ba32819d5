{#-
    Query for the fields of a JSON object, a row each: the `columns` of the relation, `field_name`,
    `field_kind` (number, string, boolean, null, object or array) and `field_text`, the value of the
    first three. What is no object, and an empty one, has no row.
-#}
{%- macro json_fields(relation, document, columns) -%}
    {{ return(adapter.dispatch('json_fields', 'assay')(relation, document, columns)) }}
{%- endmacro -%}

{%- macro default__json_fields(relation, document, columns) -%}
    {{ exceptions.raise_compiler_error('json_fields: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__json_fields(relation, document, columns) -%}
    select
        {{ columns | join(', ') }},
        field_name,
        case
            when field_value is null then 'null'
            when starts_with(cast(field_value as string), '"') then 'string'
            when starts_with(cast(field_value as string), '{') then 'object'
            when starts_with(cast(field_value as string), '[') then 'array'
            when cast(field_value as string) in ('true', 'false') then 'boolean'
            else 'number'
        end as field_kind,
        case when not regexp_matches(cast(field_value as string), '^[{\[]') then field_value ->> '$' end
            as field_text
    from (
        select
            {{ columns | join(', ') }},
            unnest(map_keys(fields)) as field_name,
            unnest(map_values(fields)) as field_value
        from (
            select
                {{ columns | join(', ') }},
                from_json({{ valid_json(document) }}, '"MAP(VARCHAR, JSON)"') as fields
            from {{ relation }}
        ) as documents
    ) as named
{%- endmacro -%}

{%- macro bigquery__json_fields(relation, document, columns) -%}
    select
        {{ columns | join(', ') }},
        field_name,
        json_type(fields[field_name]) as field_kind,
        json_value(fields[field_name]) as field_text
    from (
        select
            {{ columns | join(', ') }},
            safe.parse_json({{ document }}, wide_number_mode => 'round') as fields
        from {{ relation }}
    ) as documents
    cross join unnest(json_keys(fields, 1)) as field_name
{%- endmacro -%}
