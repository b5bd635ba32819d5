{%- macro hmac_sha256_hex(message, inner_pad, outer_pad) -%}
    {{ return(adapter.dispatch('hmac_sha256_hex', 'assay')(message, inner_pad, outer_pad)) }}
{%- endmacro -%}

{%- macro default__hmac_sha256_hex(message, inner_pad, outer_pad) -%}
    {{ exceptions.raise_compiler_error('hmac_sha256_hex: no implementation for ' ~ target.type) }}
{%- endmacro -%}

{%- macro duckdb__hmac_sha256_hex(message, inner_pad, outer_pad) -%}
    sha256({{ outer_pad }} || unhex(sha256({{ inner_pad }} || encode({{ message }}))))
{%- endmacro -%}

{%- macro bigquery__hmac_sha256_hex(message, inner_pad, outer_pad) -%}
    to_hex(sha256(concat({{ outer_pad }}, sha256(concat({{ inner_pad }}, cast({{ message }} as bytes))))))
{%- endmacro -%}
