{#- The types of events that the event registry declares for a domain and actor, quoted, for `in`. -#}
{%- macro event_types_of(domain, actor) -%}
    {%- set types = [] -%}
    {%- if execute -%}
        {%- for type in graph.sources.values() if type.source_name == 'events' -%}
            {%- set meta = type.config.get('meta') or type.meta -%}
            {%- if meta.domain == domain and meta.actor == actor -%}
                {%- do types.append("'" ~ meta.event_type ~ "'") -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(types | unique | sort | join(', ') or "''") }}
{%- endmacro -%}
