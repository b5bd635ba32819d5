{{ config(materialized='table') }}

with

figures as (

    select * from {{ ref('int_claims__public_figures') }}

),

report as (

    select
        release_id,
        period_start,
        claim_type,
        region,
        claimants,
        lower_bound,
        upper_bound,
        epsilon,
        delta,
        noise_scale,
        cells_per_person,
        mechanism,
        released_at as updated_at
    from figures

)

select * from report
