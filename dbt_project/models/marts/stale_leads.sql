with

    lead_facts as (select * from {{ ref("lead_facts") }} where is_stale or is_stale_for_provider),

    leads as (select * from {{ ref("stg_leads") }}),

    listed_leads as (select * from {{ ref("stg_provider_stale_leads") }}),

    final as (
        select
            lead_facts.lead_key,
            lead_facts.provider,
            lead_facts.account,
            lead_facts.lead_id,
            leads.full_name,
            leads.source,
            leads.owner_id,
            leads.owner_name,
            lead_facts.stage,
            lead_facts.score,
            lead_facts.last_activity_at,
            lead_facts.data_until,
            lead_facts.days_quiet,
            lead_facts.is_open,
            lead_facts.is_stale,
            lead_facts.is_stale_for_provider,
            listed_leads.first_listed_at,
            listed_leads.last_listed_at
        from lead_facts
        join leads using (lead_key)
        left join listed_leads using (lead_key)
    )

select *
from final
order by days_quiet desc, lead_key
