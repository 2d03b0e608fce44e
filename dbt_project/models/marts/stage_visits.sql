-- Providers have finer stages than ours: a step between two of theirs that map to the same stage is
-- neither an exit nor an entry. The intervals are contiguous, so the rows at which the stage
-- changes are
-- all that is needed.
--
-- A visit begins between entered_after and entered_at and ends between exited_after and
-- exited_at. So it
-- lasts at least from the latest beginning to the earliest end, and at most from the earliest
-- beginning
-- to the latest end. One that is not over is measured up to where it is known to hold.
with

    stage_history as (select * from {{ ref("stg_lead_stage_history") }}),

    leads as (select * from {{ ref("int_dated_leads") }}),

    owners as (select * from {{ ref("int_lead_owners") }}),

    path as (select * from {{ ref("stg_canonical_stages") }} where is_on_path),

    limits as (select * from {{ ref("stg_stage_limits") }}),

    entries as (
        select
            lead_key,
            provider,
            account,
            stage,
            previous_stage,
            entered_at,
            entered_after,
            evidence,
            row_number() over lead_visits as visit_number,
            lead(stage) over lead_visits as next_stage,
            lead(entered_at) over lead_visits as exited_at,
            lead(entered_after) over lead_visits as exited_after,
            lead(entered_at) over lead_visits is null as is_current
        from stage_history
        where stage is distinct from previous_stage
        window lead_visits as (partition by lead_key order by stage_number)
    ),

    limited as (
        select
            entries.*,
            {{ known_source("leads.source") }} as source,
            leads.watched_from,
            coalesce(entries.exited_at, leads.stage_known_until) as ended_at,
            case
                when entries.is_current
                then leads.stage_known_until
                else coalesce(entries.exited_after, entries.entered_at)
            end as ended_after,
            case
                when entries.visit_number = 1
                then null
                when places.stage is null or previous_places.stage is null
                then 'aside'
                when places.canonical_order > previous_places.canonical_order
                then 'forward'
                else 'back'
            end as direction,
            coalesce(provider_limits.limit_hours, general_limits.limit_hours)
            * 3600 as limit_seconds,
            coalesce(
                provider_limits.in_working_hours, general_limits.in_working_hours
            ) as is_limit_in_working_hours
        from entries
        join leads using (lead_key)
        left join path as places on places.stage = entries.stage
        left join path as previous_places on previous_places.stage = entries.previous_stage
        left join
            limits as provider_limits
            on provider_limits.stage = entries.stage
            and provider_limits.provider = entries.provider
        left join
            limits as general_limits
            on general_limits.stage = entries.stage
            and general_limits.provider is null
    ),

    measured as (
        {{
            business_seconds(
                "limited",
                {
                    "business_seconds_in_stage": ["entered_at", "ended_at"],
                    "business_seconds_in_stage_lower": ["entered_at", "ended_after"],
                    "business_seconds_in_stage_upper": ["entered_after", "ended_at"],
                },
            )
        }}
    ),

    final as (
        select
            measured.lead_key,
            measured.visit_number,
            measured.provider,
            measured.account,
            measured.source,
            measured.stage,
            measured.previous_stage,
            measured.next_stage,
            measured.direction,
            measured.entered_at,
            measured.entered_after,
            {{ local_date("measured.entered_at") }} as entered_day,
            measured.exited_at,
            measured.exited_after,
            {{ local_date("measured.exited_at") }} as exited_day,
            measured.is_current,
            measured.evidence,
            {{ owned_at(owner_key("measured.account", "owners.owner_id"), "measured.entered_at") }}
            as owner_key,
            {{ owned_at("owners.owner_id", "measured.entered_at") }} as owner_id,
            {{ owned_at("owners.owner_name", "measured.entered_at") }} as owner_name,
            measured.is_current as is_censored,
            coalesce(
                measured.entered_after >= measured.watched_from
                -- Under watch since it had begun, at a moment that is known.
                or (
                    measured.entered_after = measured.entered_at
                    and measured.entered_at < measured.watched_from
                    and measured.ended_after >= measured.watched_from
                ),
                false
            ) as is_counted,
            {{ seconds_between("measured.entered_at", "measured.ended_at") }} as seconds_in_stage,
            {{ seconds_between("measured.entered_at", "measured.ended_after") }}
            as seconds_in_stage_lower,
            {{ seconds_between("measured.entered_after", "measured.ended_at") }}
            as seconds_in_stage_upper,
            measured.business_seconds_in_stage,
            measured.business_seconds_in_stage_lower,
            measured.business_seconds_in_stage_upper,
            measured.limit_seconds,
            measured.is_limit_in_working_hours,
            coalesce(
                case
                    when measured.is_limit_in_working_hours
                    then measured.business_seconds_in_stage
                    else seconds_in_stage
                end
                > measured.limit_seconds,
                false
            ) as is_over_limit
        from measured {{ join_owners("measured.lead_key", "measured.entered_at") }}
    )

select *
from final
