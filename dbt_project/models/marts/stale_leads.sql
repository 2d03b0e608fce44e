with

    leads as (select * from {{ ref("int_dated_leads") }}),

    quiet_leads as (select * from {{ ref("int_quiet_leads") }}),

    final as (
        select
            leads.lead_key,
            leads.provider,
            leads.account,
            leads.lead_id,
            leads.full_name,
            leads.source,
            leads.owner_id,
            leads.owner_name,
            leads.stage,
            leads.score,
            quiet_leads.last_activity_at,
            quiet_leads.data_until,
            quiet_leads.days_quiet,
            quiet_leads.is_open,
            quiet_leads.is_stale,
            quiet_leads.is_stale_for_provider,
            quiet_leads.first_listed_at,
            quiet_leads.last_listed_at
        from leads
        join quiet_leads using (lead_key)
        where quiet_leads.is_stale or quiet_leads.is_stale_for_provider
    )

select *
from final
order by days_quiet desc, lead_key
