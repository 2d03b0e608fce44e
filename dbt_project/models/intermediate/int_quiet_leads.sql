-- How long nothing has happened to a lead that is still open: no update by the provider, no
-- interaction, no change of stage. Beside it, what the provider itself lists as stale.
with

    leads as (select * from {{ ref("int_dated_leads") }}),

    listed_leads as (select * from {{ ref("stg_provider_stale_leads") }}),

    current_visits as (select * from {{ ref("int_lead_stage_visits") }} where is_current),

    accounts_with_lists as (select distinct account from leads join listed_leads using (lead_key)),

    active as (
        select
            leads.lead_key,
            leads.is_open,
            greatest(
                leads.updated_at, leads.last_interaction_at, current_visits.entered_at
            ) as last_activity_at,
            leads.data_until,
            -- Where the provider has never listed any lead, it says nothing of this one.
            case
                when accounts_with_lists.account is not null
                then coalesce(listed_leads.is_listed, false)
            end as is_stale_for_provider,
            listed_leads.first_listed_at,
            listed_leads.last_listed_at
        from leads
        left join current_visits using (lead_key)
        left join listed_leads using (lead_key)
        left join accounts_with_lists on accounts_with_lists.account = leads.account
    ),

    final as (
        select
            *,
            {{ whole_days(seconds_between("last_activity_at", "data_until")) }} as days_quiet,
            is_open and days_quiet >= {{ var("stale_after_days") }} as is_stale
        from active
    )

select *
from final
