{{ config(materialized='table') }}

{{ reply_errors(table='deposit_attempts', arrivals='int_access__deposit_attempt_arrivals') }}
