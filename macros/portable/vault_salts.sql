{%- macro vault_salts() -%}
    {{ return(adapter.dispatch('vault_salts', 'assay')()) }}
{%- endmacro -%}

{%- macro default__vault_salts() -%}
    {{ exceptions.raise_compiler_error('vault_salts: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__vault_salts() -%}
    vault.main.salts
{%- endmacro -%}

{%- macro bigquery__vault_salts() -%}
    `{{ target.project }}`.`{{ layer_schema("vault") }}`.`salts`
{%- endmacro -%}
