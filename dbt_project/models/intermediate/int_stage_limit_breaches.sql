-- A limit for one provider counts before one for all of them.
with

    stays as (select * from {{ ref("int_lead_stay_lengths") }}),

    limits as (select * from {{ ref("stage_limits") }}),

    limited as (
        select
            stays.*,
            coalesce(provider_limits.limit_hours, general_limits.limit_hours) as limit_hours
        from stays
        left join
            limits as provider_limits
            on provider_limits.stage = stays.stage
            and provider_limits.provider = stays.provider
        left join
            limits as general_limits
            on general_limits.stage = stays.stage
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
