{#- Whether a silver model is of a domain that is built: all are, unless ASSAY_DOMAINS names some. -#}
{%- macro is_built(model) -%}
    {%- set domains = env_var('ASSAY_DOMAINS', '') -%}
    {{ return(domains == '' or domain_of_model(model) in domains.split(',')) }}
{%- endmacro -%}

{#- The models that the metrics stand over, of domains that are built. -#}
{%- macro metric_facts() -%}
    {%- set built = [] -%}
    {%- for fact in var('metric_facts') if is_built(fact) -%}
        {%- do built.append(fact) -%}
    {%- endfor -%}
    {{ return(built) }}
{%- endmacro -%}
