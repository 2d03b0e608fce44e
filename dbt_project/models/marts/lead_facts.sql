-- Leads without a source or an owner are counted under a name of their own, so that parts add up
-- to the
-- whole. Personal data stays in normalized.leads, which joins by lead_key.
with

    leads as (select * from {{ ref("int_dated_leads") }}),

    lead_persons as (select * from {{ ref("int_lead_persons") }}),

    milestones as (select * from {{ ref("int_lead_milestones") }}),

    current_visits as (select * from {{ ref("stage_visits") }} where is_current),

    listed_leads as (select * from {{ ref("stg_provider_stale_leads") }}),

    accounts_with_lists as (select distinct account from leads join listed_leads using (lead_key)),

    -- Leads that can have been anywhere without being seen, and since when they first can have.
    unseen as (
        select lead_key, min(changed_after) as unseen_after
        from {{ ref("stg_unobserved_changes") }}
        group by lead_key
    ),

    joined as (
        select
            leads.*,
            lead_persons.person_key,
            milestones.* exclude (lead_key),
            current_visits.previous_stage,
            current_visits.entered_at as stage_entered_at,
            current_visits.entered_after as stage_entered_after,
            current_visits.evidence as stage_evidence,
            current_visits.is_over_limit,
            greatest(
                leads.updated_at, leads.last_interaction_at, current_visits.entered_at
            ) as last_activity_at,
            -- Where the provider has never listed any lead, it says nothing of this one.
            case
                when accounts_with_lists.account is not null
                then coalesce(listed_leads.is_listed, false)
            end as is_stale_for_provider,
            unseen.lead_key is not null or leads.is_missing as can_hide_stages,
            least(
                unseen.unseen_after, case when leads.is_missing then leads.stage_known_until end
            ) as hides_after,
            case
                when leads.stage in ('won', 'lost')
                then leads.stage
                when leads.is_terminal
                then 'closed'
                when leads.is_missing
                then 'missing'
                else 'open'
            end as outcome
        from leads
        left join current_visits using (lead_key)
        left join milestones using (lead_key)
        left join lead_persons using (lead_key)
        left join listed_leads using (lead_key)
        left join accounts_with_lists on accounts_with_lists.account = leads.account
        left join unseen using (lead_key)
    ),

    measured as (
        {{
            business_seconds(
                "joined",
                {
                    "response_business_seconds_lower": ["created_at", "reached_engaged_after"],
                    "response_business_seconds_upper": ["created_at", "reached_engaged_at"],
                },
            )
        }}
    ),

    final as (
        select
            lead_key,
            provider,
            account,
            lead_id,
            person_key,
            tenant_id,

            {{ known_source("source") }} as source,
            source_type,
            industry,
            company_size,
            {{ owner_key("account", "owner_id") }} as owner_key,
            owner_id,
            {{ known_owner_name("owner_id", "owner_name") }} as owner_name,
            owner_role,

            stage,
            provider_stage,
            provider_stage_name,
            provider_status,
            previous_stage,
            stage_order,
            stage_entered_at,
            stage_entered_after,
            stage_evidence,
            {{ whole_days(seconds_between("stage_entered_at", "stage_known_until")) }}
            as days_in_stage,
            stage_changes,
            score,
            is_qualified,
            interaction_count,
            last_interaction_at,
            last_activity_at,
            {{ whole_days(seconds_between("last_activity_at", "data_until")) }} as days_quiet,
            qualification_completed_at,

            created_at,
            {{ local_date("created_at") }} as created_day,
            {{ local_week("created_at") }} as created_week,
            {{ local_month("created_at") }} as created_month,
            updated_at,
            first_seen_at,
            last_seen_at,
            watched_from,
            missing_since,
            data_until,
            stage_known_until,
            {{ seconds_between("created_at", "data_until") }} as age_seconds,
            {{ whole_days("age_seconds") }} as age_days,

            is_watched,
            is_open,
            stage = 'won' as is_won,
            stage = 'lost' as is_lost,
            is_missing,
            is_terminal,
            stage = 'unmapped' as is_unmapped,
            is_open and days_quiet >= {{ var("stale_after_days") }} as is_stale,
            is_stale_for_provider,
            coalesce(is_open and is_over_limit, false) as has_open_breach,
            can_hide_stages,
            hides_after,

            {% for stage in ["engaged", "qualified", "booked", "won"] %}
                has_reached_{{ stage }}, reached_{{ stage }}_at, reached_{{ stage }}_after,
            {% endfor %}
            has_reached_lost,
            first_lost_at as lost_at,
            lost_after,
            {% for stage in ["engaged", "qualified", "booked", "won", "lost"] %}
                first_{{ stage }}_at,
            {% endfor %}

            has_reached_engaged as has_response,
            reached_engaged_at as response_at,
            reached_engaged_after as response_after,
            {{ seconds_between("created_at", "response_after") }} as response_seconds_lower,
            {{ seconds_between("created_at", "response_at") }} as response_seconds_upper,
            response_business_seconds_lower,
            response_business_seconds_upper,

            outcome,
            case
                when outcome in ('won', 'lost')
                then stage_entered_at
                when outcome = 'closed'
                then greatest(stage_entered_at, closed_at)
                when outcome = 'missing'
                then missing_since
            end as outcome_at,
            case
                when outcome in ('won', 'lost')
                then stage_entered_after
                when outcome = 'closed'
                then greatest(stage_entered_after, closed_after)
                when outcome = 'missing'
                then least(last_seen_at, missing_since)
            end as outcome_after,
            case
                when outcome = 'lost'
                then {{ custom_field("LEAD_PIPELINE_LOSS_REASON_FIELD", "custom_fields") }}
            end as loss_reason,
            times_reopened,
            reopened_at,
            reopened_after,
            -- To the beginning of the win that stands, not of one that was taken back.
            {{
                seconds_between(
                    "created_at", "case when stage = 'won' then stage_entered_after end"
                )
            }} as seconds_to_win_lower,
            {{ seconds_between("created_at", "case when stage = 'won' then stage_entered_at end") }}
            as seconds_to_win_upper,

            {{ custom_number("LEAD_PIPELINE_VALUE_FIELD", "custom_fields") }} as pipeline_value
        from measured
    )

select *
from final
