with

    segments as (select * from {{ ref("int_lead_day_segments") }}),

    days as (
        select
            segments.* exclude (first_day, last_day),
            cast(unnest(range(first_day, last_day + 1, interval 1 day)) as date) as date_day
        from segments
    ),

    final as (
        select
            date_day,
            lead_key,
            provider,
            account,
            lead_id,
            stage,
            provider_stage,
            provider_status,
            stage_number,
            date_day - stage_entered_day as days_in_stage,
            evidence,
            score,
            owner_id,
            owner_name,
            coalesce(date_day >= missing_date, false) as is_missing
        from days
    )

select *
from final
