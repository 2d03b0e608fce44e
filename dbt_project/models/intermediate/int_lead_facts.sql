{{ config(materialized="table") }}
-- What the marts that count leads have in common, once per lead. Leads without a source or an
-- owner are counted under a name of their own, so that parts add up to the whole.
with

    leads as (select * from {{ ref("int_dated_leads") }}),

    milestones as (select * from {{ ref("int_lead_milestones") }}),

    quiet_leads as (select * from {{ ref("int_quiet_leads") }}),

    -- Leads that can have been anywhere without being seen, and since when they first can have.
    unseen as (
        select lead_key, min(changed_after) as unseen_after
        from {{ ref("stg_unobserved_changes") }}
        group by lead_key
    ),

    wins as (
        select lead_key, entered_at, entered_after
        from {{ ref("int_lead_stage_visits") }}
        where is_current and stage = 'won'
    ),

    breaches as (
        select lead_key, count(*) filter (where is_open) as open_breaches
        from {{ ref("int_stage_limit_breaches") }}
        group by lead_key
    ),

    final as (
        select
            leads.lead_key,
            leads.provider,
            leads.account,
            coalesce(nullif(trim(leads.source), ''), 'unknown') as source,
            leads.account || ':' || coalesce(leads.owner_id, 'unassigned') as owner_key,
            leads.owner_id,
            case
                when leads.owner_id is null then 'unassigned' else leads.owner_name
            end as owner_name,
            leads.owner_role,
            leads.score,
            leads.created_at,
            leads.updated_at,
            leads.data_until,
            {{ local_week("leads.created_at") }} as cohort_week,
            {{ seconds_between("leads.created_at", "leads.data_until") }} as observed_seconds,
            {{ seconds_between("leads.created_at", "leads.stage_known_until") }} as known_seconds,
            leads.is_watched,
            unseen.lead_key is not null or leads.is_missing as can_hide_stages,
            least(
                unseen.unseen_after, case when leads.is_missing then leads.stage_known_until end
            ) as hides_after,

            leads.is_missing,
            leads.is_open,
            leads.stage = 'won' as is_won,
            leads.stage = 'lost' as is_lost,
            leads.stage = 'unmapped' as is_unmapped,
            milestones.has_reached_engaged,
            milestones.has_reached_qualified,
            milestones.has_reached_booked,
            milestones.has_reached_won,
            milestones.has_reached_lost,

            milestones.reached_engaged_at is not null as has_response,
            {{ seconds_between("leads.created_at", "milestones.reached_engaged_at") }}
            as response_seconds,
            {{ seconds_between("leads.created_at", "milestones.reached_engaged_after") }}
            as min_response_seconds,
            {{ seconds_between("leads.created_at", "hides_after") }} as unseen_seconds,
            -- To the beginning of the win that stands, not of one that was taken back.
            {{ seconds_between("leads.created_at", "wins.entered_at") }} as seconds_to_win,
            {{ seconds_between("leads.created_at", "wins.entered_after") }} as min_seconds_to_win,

            quiet_leads.is_stale,
            coalesce(breaches.open_breaches, 0) > 0 as has_open_breach
        from leads
        left join milestones using (lead_key)
        left join unseen using (lead_key)
        left join wins using (lead_key)
        left join quiet_leads using (lead_key)
        left join breaches using (lead_key)
    )

select *
from final
