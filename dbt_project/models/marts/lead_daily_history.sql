with

    segments as (select * from {{ ref("int_lead_day_segments") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    uncertain_days as (
        select distinct
            lead_key,
            cast(unnest(range(first_day, last_day + 1, interval 1 day)) as date) as date_day
        from {{ ref("int_uncertain_days") }}
    ),

    days as (
        select
            segments.* exclude (first_day, last_day),
            cast(unnest(range(first_day, last_day + 1, interval 1 day)) as date) as date_day
        from segments
    ),

    final as (
        select
            days.date_day,
            days.lead_key,
            days.provider,
            days.account,
            days.lead_id,
            days.stage,
            days.provider_stage,
            days.provider_status,
            days.stage_number,
            days.date_day - days.stage_entered_day as days_in_stage,
            days.evidence,
            days.stage <> 'unknown'
            and uncertain_days.lead_key is null
            and coalesce(days.date_day <= horizons.last_proven_day, false) as is_certain,
            days.score,
            days.owner_id,
            days.owner_name,
            coalesce(days.date_day >= days.missing_date, false) as is_missing
        from days
        left join horizons using (account)
        left join uncertain_days using (lead_key, date_day)
    )

select *
from final
