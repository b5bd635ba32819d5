{#- One schema per layer, everywhere: silver is `silver`, never `main_silver`. -#}
{%- macro generate_schema_name(custom_schema_name, node) -%}
    {{ layer_schema(custom_schema_name | trim) if custom_schema_name else target.schema }}
{%- endmacro -%}
