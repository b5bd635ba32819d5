with

releases as (

    select * from {{ source('bronze', 'public_claim_releases') }}

),

figures as (

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
        {{ utc_timestamp('released_at') }} as released_at
    from releases

)

select * from figures
