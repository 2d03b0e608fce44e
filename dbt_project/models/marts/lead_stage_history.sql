with

    stage_history as (select * from {{ ref("stg_lead_stage_history") }}),

    leads as (select lead_key, stage_known_until from {{ ref("int_dated_leads") }}),

    bounded as (
        select
            stage_history.*,
            coalesce(stage_history.exited_at, leads.stage_known_until) as known_until,
            -- The earliest end: that of the earliest beginning of what came next.
            case
                when stage_history.is_current
                then leads.stage_known_until
                else
                    coalesce(
                        lead(stage_history.entered_after) over (
                            partition by lead_key order by stage_history.stage_number
                        ),
                        stage_history.entered_at
                    )
            end as ended_after
        from stage_history
        left join leads using (lead_key)
    ),

    final as (
        select
            lead_key,
            stage_number,
            provider,
            account,
            lead_id,
            stage,
            previous_stage,
            provider_stage,
            provider_stage_id,
            provider_stage_name,
            provider_status,
            entered_at,
            entered_after,
            exited_at,
            is_current,
            evidence,
            known_until,
            {{ seconds_between("entered_at", "known_until") }} as seconds_in_stage,
            {{ seconds_between("entered_at", "ended_after") }} as min_seconds_in_stage,
            {{ seconds_between("entered_after", "known_until") }} as max_seconds_in_stage,
            {{ whole_days("seconds_in_stage") }} as days_in_stage
        from bounded
    )

select *
from final
