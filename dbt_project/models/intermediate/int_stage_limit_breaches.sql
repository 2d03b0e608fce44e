-- A limit for one provider counts before one for all of them.
with

    visits as (select * from {{ ref("int_lead_visit_lengths") }}),

    limits as (select * from {{ ref("stage_limits") }}),

    limited as (
        select
            visits.*,
            coalesce(provider_limits.limit_hours, general_limits.limit_hours) as limit_hours
        from visits
        left join
            limits as provider_limits
            on provider_limits.stage = visits.stage
            and provider_limits.provider = visits.provider
        left join
            limits as general_limits
            on general_limits.stage = visits.stage
            and general_limits.provider is null
    ),

    final as (
        select
            *,
            entered_at + to_seconds(cast(limit_hours * 3600 as bigint)) as breached_at,
            is_current and is_lead_open as is_open,
            min_seconds_in_stage > limit_hours * 3600 as is_certain
        from limited
        where seconds_in_stage > limit_hours * 3600
    )

select *
from final
