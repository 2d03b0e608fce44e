-- What was seen to have changed, whatever it was. Of changes of the stage and the status the
-- history knows
-- when they were; of those of owner and score, the polls that showed them.
with

    leads as (select * from {{ ref("stg_leads") }}),

    owners as (select * from {{ ref("int_lead_owners") }}),

    visits as (select * from {{ ref("stage_visits") }}),

    observed_changes as (select * from {{ ref("stg_observed_changes") }}),

    statuses as (
        select
            *,
            lag(provider_status) over (
                partition by lead_key order by stage_number
            ) as previous_status
        from {{ ref("stg_lead_stage_history") }}
    ),

    changes as (
        -- `place`: of what happened at one moment, what is told first.
        select
            lead_key,
            1 as place,
            1 as number,
            'created' as field,
            cast(null as varchar) as from_value,
            cast(null as varchar) as to_value,
            cast(null as varchar) as from_name,
            cast(null as varchar) as to_name,
            created_at as changed_at,
            created_at as changed_after,
            'created' as evidence
        from leads
        where created_at is not null
        union all
        select
            lead_key,
            2 as place,
            change_number as number,
            'owner' as field,
            from_owner_id as from_value,
            to_owner_id as to_value,
            {{ known_owner_name("from_owner_id", "from_owner_name") }} as from_name,
            {{ known_owner_name("to_owner_id", "to_owner_name") }} as to_name,
            changed_at,
            changed_after,
            'observed' as evidence
        from observed_changes
        where is_owner_changed
        union all
        select
            lead_key,
            3 as place,
            change_number as number,
            'score' as field,
            cast(from_score as varchar) as from_value,
            cast(to_score as varchar) as to_value,
            null as from_name,
            null as to_name,
            changed_at,
            changed_after,
            'observed' as evidence
        from observed_changes
        where is_score_changed
        union all
        select
            lead_key,
            4 as place,
            stage_number as number,
            'status' as field,
            previous_status as from_value,
            provider_status as to_value,
            null as from_name,
            null as to_name,
            entered_at as changed_at,
            entered_after as changed_after,
            evidence
        from statuses
        where stage_number > 1 and provider_status is distinct from previous_status
        union all
        select
            lead_key,
            5 as place,
            visit_number as number,
            'stage' as field,
            previous_stage as from_value,
            stage as to_value,
            null as from_name,
            null as to_name,
            entered_at as changed_at,
            entered_after as changed_after,
            evidence
        from visits
        where visit_number > 1
        union all
        select
            lead_key,
            6 as place,
            1 as number,
            'missing' as field,
            null as from_value,
            null as to_value,
            null as from_name,
            null as to_name,
            missing_since as changed_at,
            least(last_seen_at, missing_since) as changed_after,
            'observed' as evidence
        from leads
        where missing_since is not null
    ),

    final as (
        select
            changes.lead_key,
            row_number() over (
                partition by changes.lead_key
                order by changes.changed_at, changes.place, changes.number
            ) as change_number,
            leads.provider,
            leads.account,
            {{ known_source("leads.source") }} as source,
            changes.field,
            changes.from_value,
            changes.to_value,
            changes.from_name,
            changes.to_name,
            changes.changed_at,
            changes.changed_after,
            {{ local_date("changes.changed_at") }} as changed_day,
            changes.evidence,
            {{ owned_at(owner_key("leads.account", "owners.owner_id"), "changes.changed_at") }}
            as owner_key,
            {{ owned_at("owners.owner_id", "changes.changed_at") }} as owner_id,
            {{ owned_at("owners.owner_name", "changes.changed_at") }} as owner_name,
            coalesce(
                {{ local_date("changes.changed_after") }} = {{ local_date("changes.changed_at") }},
                false
            ) as is_certain_of_day
        from changes
        join leads using (lead_key) {{ join_owners("changes.lead_key", "changes.changed_at") }}
    )

select *
from final
