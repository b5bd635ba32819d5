{#- Whether the marts of a domain are built: all are, unless ASSAY_DOMAINS names some. -#}
{%- macro is_built(domain) -%}
    {%- set domains = env_var('ASSAY_DOMAINS', '') -%}
    {{ return(domains == '' or domain in domains.split(',')) }}
{%- endmacro -%}

{#- The models that the metrics stand over, of domains that are built. -#}
{%- macro metric_facts() -%}
    {%- set built = [] -%}
    {%- for fact in var('metric_facts') if is_built(domain_of_model(fact)) -%}
        {%- do built.append(fact) -%}
    {%- endfor -%}
    {%- if not built -%}
        {%- do exceptions.raise_compiler_error(
            'ASSAY_DOMAINS names no domain that has metrics, which platform_health_monthly tells of. '
            ~ 'Name one of access, engagement and gaming beside it.'
        ) -%}
    {%- endif -%}
    {{ return(built) }}
{%- endmacro -%}
