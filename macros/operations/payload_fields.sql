{#-
    The fields that payloads of platform events may have, as the event registry declares them, by
    name: {name, data_type, is_identifier, column, paths}. `column` is what silver calls it, the key
    of a pseudonym where the field is an identifier; `paths` are its spellings in JSON, the first
    that is there counts.
-#}
{%- macro payload_fields() -%}
    {%- set fields = {} -%}
    {%- if execute -%}
        {%- for type in graph.sources.values() if type.source_name == 'events' -%}
            {%- for column in type.columns.values() -%}
                {%- set meta = column.config.get('meta') or column.meta -%}
                {%- set words = column.name.split('_') -%}
                {%- set camel = words[0] ~ words[1:] | map('capitalize') | join -%}
                {%- set known = fields.get(column.name, {'paths': []}).paths -%}
                {%- set paths = known + ['$.' ~ column.name, '$.' ~ camel] -%}
                {%- for alias in meta.get('aliases', []) -%}
                    {%- do paths.append('$.' ~ alias) -%}
                {%- endfor -%}
                {%- set is_identifier = meta.privacy in ['identifier', 'direct_identifier'] -%}
                {%- do fields.update({column.name: {
                    'name': column.name,
                    'data_type': column.data_type,
                    'is_identifier': is_identifier,
                    'column': modules.re.sub('(_id)?$', '_key', column.name, 1) if is_identifier else column.name,
                    'paths': paths | unique(case_sensitive=true) | list,
                }}) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(fields.values() | sort(attribute='name') | list) }}
{%- endmacro -%}

{#- The texts of all fields of a payload, read in one extraction: what `payload_values` is given. -#}
{%- macro payload_texts(payload, fields) -%}
    {{ json_texts(payload, payload_paths(fields)) }}
{%- endmacro -%}

{#-
    The fields as typed values, a list of expressions with their names. What does not fit its type is
    null: landing has refused it.
-#}
{%- macro payload_values(texts, fields) -%}
    {%- set paths = payload_paths(fields) -%}
    {%- for field in fields %}
        {%- set text = first_text(texts, paths, field.paths) %}
        {% if field.data_type == 'string' -%}
            nullif(trim({{ text }}, ' '), '')
        {%- else -%}
            {{ try_cast(text, field.data_type) }}
        {%- endif %} as {{ field.name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{#- The same as silver keeps them: identifiers as pseudonyms, each in a key domain of its own. -#}
{%- macro payload_columns(fields, domain) -%}
    {%- for field in fields %}
        {% if field.is_identifier -%}
            {{ pseudonymize(field.name, domain ~ '.' ~ field.name) }} as {{ field.column }}
        {%- else -%}
            {{ field.name }}
        {%- endif %}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro -%}

{%- macro payload_paths(fields) -%}
    {{ return(fields | map(attribute='paths') | sum(start=[])) }}
{%- endmacro -%}
