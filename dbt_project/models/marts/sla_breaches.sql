with

    visits as (
        select
            *,
            case
                when is_limit_in_working_hours then business_seconds_in_stage else seconds_in_stage
            end as seconds,
            case
                when is_limit_in_working_hours
                then business_seconds_in_stage_lower
                else seconds_in_stage_lower
            end as seconds_lower
        from {{ ref("stage_visits") }}
        where is_over_limit
    ),

    -- By when a limit in working hours was used up.
    due as ({{ business_deadline("visits", "entered_at", "limit_seconds", "worked_until") }}),

    leads as (select * from {{ ref("stg_leads") }}),

    final as (
        select
            visits.lead_key,
            visits.visit_number,
            visits.provider,
            visits.account,
            leads.lead_id,
            leads.full_name,
            leads.source,
            leads.owner_id,
            leads.owner_name,
            visits.stage,
            visits.entered_at,
            visits.entered_after,
            visits.exited_at,
            case
                when visits.is_limit_in_working_hours
                then visits.worked_until
                else visits.entered_at + to_seconds(cast(visits.limit_seconds as bigint))
            end as breached_at,
            visits.limit_seconds / 3600.0 as limit_hours,
            visits.seconds / 3600.0 as hours_in_stage,
            hours_in_stage - limit_hours as hours_over,
            visits.is_current and leads.is_open as is_open,
            visits.seconds_lower > visits.limit_seconds as is_certain,
            leads.is_missing
        from due as visits
        join leads using (lead_key)
    )

select *
from final
order by entered_at, lead_key, visit_number
