{#-
    The key reaches SQL only as a scalar subquery on the vault: it is in no compiled text, no
    artifact and no log. A vault without a live key stops the build; one with two does too.
-#}
{%- macro pseudonymize(expression, domain, region=none, version=none) -%}
    case when {{ expression }} is not null then
        {{ vault_value("'v' || cast(version as string) || ':'", region, version) }}
        || {{ hmac_sha256_hex(
            "'" ~ domain ~ "' || " ~ unit_separator() ~ " || cast(" ~ expression ~ " as string)",
            vault_value('ipad', region, version),
            vault_value('opad', region, version)
        ) }}
    end
{%- endmacro -%}

{%- macro vault_value(column, region=none, version=none) -%}
    coalesce(
        (
            select {{ column }} from {{ vault_salts() }}
            where
                {{ "retired_at is null" if version is none else "version = " ~ version }}
                {{ "and region = '" ~ region ~ "'" if region is not none }}
        ),
        {{ raise_error('No key in the vault. Run assay vault status.') }}
    )
{%- endmacro -%}
