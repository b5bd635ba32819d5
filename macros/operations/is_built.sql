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
    {{ return(built) }}
{%- endmacro -%}
