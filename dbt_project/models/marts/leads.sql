with

    leads as (select * from {{ ref("int_dated_leads") }}),

    lead_persons as (select * from {{ ref("int_lead_persons") }}),

    current_visits as (select * from {{ ref("int_lead_stage_visits") }} where is_current),

    milestones as (select * from {{ ref("int_lead_milestones") }}),

    final as (
        select
            leads.lead_key,
            leads.provider,
            leads.account,
            leads.lead_id,
            lead_persons.person_key,
            leads.tenant_id,

            leads.full_name,
            leads.email,
            leads.email_normalized,
            leads.phone,
            leads.phone_e164,
            leads.phone_extension,
            leads.phone_type,
            leads.company,
            leads.company_size,
            leads.industry,

            leads.source,
            leads.source_type,
            leads.owner_id,
            leads.owner_name,
            leads.owner_role,

            leads.stage,
            leads.provider_stage,
            leads.provider_stage_name,
            leads.provider_status,
            current_visits.previous_stage,
            current_visits.entered_at as stage_entered_at,
            current_visits.entered_after as stage_entered_after,
            current_visits.evidence as stage_evidence,
            leads.stage_known_until,
            {{
                whole_days(
                    seconds_between("current_visits.entered_at", "leads.stage_known_until")
                )
            }} as days_in_stage,
            milestones.stage_changes,
            milestones.first_engaged_at,
            milestones.first_qualified_at,
            milestones.first_booked_at,
            milestones.first_won_at,
            milestones.first_lost_at,

            leads.score,
            leads.is_qualified,
            leads.intent,
            leads.timeline,
            leads.budget_range,
            leads.pain_points,
            leads.ai_reasoning,
            leads.interaction_count,
            leads.last_interaction_at,
            leads.qualification_completed_at,
            leads.custom_fields,

            leads.created_at,
            leads.updated_at,
            leads.first_seen_at,
            leads.last_seen_at,
            leads.watched_from,
            leads.is_watched,
            leads.missing_since,
            leads.is_missing,

            leads.stage_order,
            leads.is_terminal,
            leads.is_open
        from leads
        left join current_visits using (lead_key)
        left join milestones using (lead_key)
        left join lead_persons using (lead_key)
    )

select *
from final
