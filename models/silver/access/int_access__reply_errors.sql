{{ config(materialized='table') }}

{{ reply_errors(table='attempts', arrivals='int_access__attempt_arrivals') }}
