-- A view: what each row says is in the segments, and a filter on days reads no others.
{{ config(materialized="view") }}
with

    segments as (select * from {{ ref("lead_day_segments") }}),

    bounds as (select min(first_day) as first_day, max(last_day) as last_day from segments),

    days as (
        select
            cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as date_day
        from bounds
    ),

    final as (
        select
            days.date_day,
            segments.lead_key,
            segments.provider,
            segments.account,
            segments.lead_id,
            segments.stage,
            segments.provider_stage,
            segments.provider_status,
            segments.stage_number,
            days.date_day - segments.stage_entered_day as days_in_stage,
            segments.evidence,
            coalesce(days.date_day <= segments.certain_until_day, false) as is_certain,
            segments.score,
            segments.owner_id,
            segments.owner_name,
            coalesce(days.date_day >= segments.missing_day, false) as is_missing
        from days
        join segments on days.date_day between segments.first_day and segments.last_day
    )

select *
from final
