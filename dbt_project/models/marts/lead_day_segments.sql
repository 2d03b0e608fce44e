-- Days of a lead that look the same, certainty included, as one row: `lead_daily_history` makes a
-- row of each day when it is read. Leads times days would be the largest table of the file by far,
-- written again each night; this one grows with changes.
with

    segments as (select * from {{ ref("int_lead_day_segments") }}),

    uncertain_days as (select * from {{ ref("int_uncertain_days") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    uncertain as (
        select
            segments.* exclude (first_day, last_day),
            segments.first_day as segment_first_day,
            segments.last_day as segment_last_day,
            greatest(segments.first_day, uncertain_days.first_day) as first_day,
            least(segments.last_day, uncertain_days.last_day) as last_day
        from segments
        join
            uncertain_days
            on uncertain_days.lead_key = segments.lead_key
            and uncertain_days.first_day <= segments.last_day
            and uncertain_days.last_day >= segments.first_day
    ),

    -- The days of a segment before each uncertain run, and those after the last one.
    before_uncertain as (
        select
            * exclude (first_day, last_day),
            coalesce(
                lag(last_day) over (partition by lead_key, segment_first_day order by first_day)
                + 1,
                segment_first_day
            ) as first_day,
            first_day - 1 as last_day
        from uncertain
    ),

    after_uncertain as (
        select
            * exclude (first_day, last_day), last_day + 1 as first_day, segment_last_day as last_day
        from uncertain
        qualify
            row_number() over (partition by lead_key, segment_first_day order by first_day desc) = 1
    ),

    pieces as (
        select * exclude (segment_first_day, segment_last_day), false as is_certain
        from uncertain
        union all by name
        select * exclude (segment_first_day, segment_last_day), true as is_certain
        from before_uncertain
        where first_day <= last_day
        union all by name
        select * exclude (segment_first_day, segment_last_day), true as is_certain
        from after_uncertain
        where first_day <= last_day
        union all by name
        select segments.*, true as is_certain
        from segments
        anti join
            uncertain
            on uncertain.lead_key = segments.lead_key
            and uncertain.segment_first_day = segments.first_day
    ),

    final as (
        select
            pieces.lead_key,
            pieces.provider,
            pieces.account,
            pieces.lead_id,
            pieces.first_day,
            pieces.last_day,
            pieces.stage,
            pieces.provider_stage,
            pieces.provider_status,
            pieces.stage_number,
            pieces.stage_entered_day,
            pieces.evidence,
            -- The last day at whose end the stage is certain; null where it is at none of them.
            case
                when pieces.stage <> 'unknown' and pieces.is_certain then horizons.last_proven_day
            end as certain_until_day,
            pieces.score,
            pieces.owner_id,
            pieces.owner_name,
            pieces.missing_date as missing_day
        from pieces
        left join horizons using (account)
    )

select *
from final
