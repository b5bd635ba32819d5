{#-
    The path of an endpoint that may name a cell: without query, with `{id}` for each part that holds
    two digits or more. Null where what is left is no path of plain names.
-#}
{%- macro plain_endpoint(expression) -%}
    {%- set path = regexp_replace_all(lower_case(expression), '[?#].*$', '') -%}
    {%- set plain = regexp_replace_all(path, '/[^/]*[0-9][^/]*[0-9][^/]*', '/{id}') -%}
    case when {{ regexp_like(plain, '^/?[a-z][a-z0-9_.-]{0,39}(/([a-z][a-z0-9_.-]{0,39}|[{]id[}])){0,9}/?$') }} then {{ plain }} end
{%- endmacro -%}
