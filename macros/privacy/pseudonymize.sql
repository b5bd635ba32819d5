{#-
    A pseudonym goes through every key of its vault in turn: the first key hashes the value, each
    later one the pseudonym before it. So a pseudonym in silver can be carried over to a new key
    without the value (`rekey_silver`), and equals what the value itself gives under that key.

    A key reaches SQL only as a scalar subquery on the vault: it is in no compiled text, no
    artifact and no log. A vault without a live key stops the build; one with two does too, and so
    does one whose key changed after the statement was compiled.
-#}
{%- macro pseudonymize(expression, domain, region=none, version=none) -%}
    {%- set message = "'" ~ domain ~ "' || " ~ unit_separator() ~ " || cast(" ~ expression ~ " as string)" -%}
    {%- set live = version or live_key_version() -%}
    {%- set links = namespace(pseudonym=message) -%}
    {%- for key in range(1, live + 1) -%}
        {%- set links.pseudonym = key_link(links.pseudonym, key, region, must_be_live=loop.last and version is none) -%}
    {%- endfor -%}
    case when {{ expression }} is not null then {{ links.pseudonym }} end
{%- endmacro -%}

{#- What one key makes of a message: `v<version>:` and 64 hex digits. -#}
{%- macro key_link(message, version, region=none, must_be_live=false) -%}
    {%- if must_be_live -%}
        {{ vault_value(
            "case when version = " ~ version ~ " then 'v" ~ version ~ ":' else "
            ~ raise_error('The key was rotated while this ran. Run it again.') ~ " end",
            region
        ) }} || {{ hmac_sha256_hex(message, vault_value('ipad', region), vault_value('opad', region)) }}
    {%- else -%}
        'v{{ version }}:' || {{ hmac_sha256_hex(
            message, vault_value('ipad', region, version), vault_value('opad', region, version)
        ) }}
    {%- endif -%}
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

{#- Version of the live key, 1 where there is none: the statement itself then says so. -#}
{%- macro live_key_version() -%}
    {%- if not execute -%}
        {{ return(1) }}
    {%- endif -%}
    {%- set found = run_query('select max(version) as version from ' ~ vault_salts() ~ ' where retired_at is null') -%}
    {{ return((found.columns[0].values()[0] or 1) | int) }}
{%- endmacro -%}
