{#-
    Why each newly kept request of a bronze table failed, and which form field that is about: from
    the code sent, the reply's code, its HTTP status or its words, in any language.
-#}
{%- macro reply_errors(table, arrivals) -%}
{%- set code_paths = [
    '$.errors[0].extensions.code', '$.error.code', '$.extensions.code', '$.error_code',
    '$.errorCode', '$.errors[0].code', '$.code',
] -%}
{%- set message_paths = [
    '$.errors[0].message', '$.error.message', '$.message', '$.error_description', '$.detail',
    '$.error',
] -%}
{%- set field_paths = [
    '$.errors[0].extensions.field', '$.errors[0].field', '$.error.field', '$.field',
] -%}
{%- set http_paths = [
    '$.errors[0].extensions.http.status', '$.status_code', '$.statusCode', '$.http_status',
    '$.status', '$.code',
] -%}
{%- set paths = code_paths + message_paths + field_paths + http_paths %}

with

arrivals as (

    select * from {{ ref(arrivals) }}
    where verdict = 'kept' and is_new

),

requests as (

    select * from {{ source('bronze', table) }}
    where status != 'success' and {{ arrived_since(ref(arrivals)) }}

),

error_codes as (

    select * from {{ ref('error_codes') }}
    where stage = 'reply'

),

known_codes as (

    select
        aliases.alias,
        aliases.code,
        error_codes.is_generic
    from {{ ref('error_code_aliases') }} as aliases
    inner join error_codes on aliases.code = error_codes.code
    where aliases.code != 'unclassified'

),

error_texts as (

    select * from {{ ref('error_texts') }}

),

form_fields as (

    select * from {{ ref('form_fields') }}

),

replies as (

    select
        requests.event_id,
        requests.batch_id,
        requests.line_number,
        requests.status,
        requests.error_code as sent_code,
        requests.resp,
        {{ json_texts(valid_json('requests.resp'), paths) }} as texts
    from requests
    inner join arrivals
        on {{ same('requests', 'arrivals', ['batch_id', 'line_number', 'event_id']) }}

),

-- The sender's code, else the reply's; what the reply says in words and of which field.
read_replies as (

    select
        event_id,
        batch_id,
        line_number,
        status,
        {{ spelling('sent_code') }} as sent_code,
        {{ spelling(first_text('texts', paths, code_paths)) }} as reply_code,
        {{ spelling(first_text('texts', paths, field_paths)) }} as reply_field,
        'http_' || {{ first_text('texts', paths, http_paths) }} as http_code,
        {{ lower_case('coalesce(' ~ first_text('texts', paths, message_paths) ~ ', resp)') }} as message
    from replies

),

-- A text is looked up once, however many replies carry it. The longest fragment is the most exact.
messages as (

    select distinct message
    from read_replies
    where message is not null

),

known_messages as (

    select
        messages.message,
        error_texts.code,
        error_texts.field
    from messages
    inner join error_texts on strpos(messages.message, error_texts.text) > 0
    qualify
        row_number() over (
            partition by messages.message
            order by length(error_texts.text) desc, error_texts.code asc, error_texts.field asc
        ) = 1

),

-- A code that only says "it failed" comes after the words of the reply.
coded as (

    select
        replies.event_id,
        replies.batch_id,
        replies.line_number,
        replies.reply_field,
        known_messages.field as message_field,
        coalesce(
            case when not sent.is_generic then sent.code end,
            {{ well_formed_code('replies.sent_code') }},
            case when not reply.is_generic then reply.code end,
            {{ well_formed_code('replies.reply_code') }},
            case when not http.is_generic then http.code end,
            known_messages.code,
            sent.code,
            reply.code,
            http.code,
            case replies.status
                when 'multi_account' then 'multi_account'
                when 'blocked' then 'account_blocked'
                when 'test' then 'none'
            end,
            'unclassified'
        ) as error_code
    from read_replies as replies
    left join known_codes as sent on replies.sent_code = sent.alias
    left join known_codes as reply on replies.reply_code = reply.alias
    left join known_codes as http on replies.http_code = http.alias
    left join known_messages on replies.message = known_messages.message

),

reply_errors as (

    select
        coded.event_id,
        coded.batch_id,
        coded.line_number,
        coded.error_code,
        coalesce(
            form_fields.field,
            nullif(coded.message_field, 'none'),
            error_codes.field,
            'none'
        ) as field
    from coded
    left join form_fields on coded.reply_field = form_fields.spelling
    left join error_codes on coded.error_code = error_codes.code

)

select * from reply_errors
{%- endmacro -%}
