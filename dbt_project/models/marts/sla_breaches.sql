with

    breaches as (select * from {{ ref("int_stage_limit_breaches") }}),

    leads as (select * from {{ ref("int_dated_leads") }}),

    final as (
        select
            breaches.lead_key,
            breaches.visit_number,
            breaches.provider,
            breaches.account,
            leads.lead_id,
            leads.full_name,
            leads.source,
            leads.owner_id,
            leads.owner_name,
            breaches.stage,
            breaches.entered_at,
            breaches.entered_after,
            breaches.exited_at,
            breaches.breached_at,
            cast(breaches.limit_hours as double) as limit_hours,
            breaches.seconds_in_stage / 3600.0 as hours_in_stage,
            hours_in_stage - limit_hours as hours_over,
            breaches.is_open,
            breaches.is_certain,
            breaches.is_missing
        from breaches
        join leads using (lead_key)
    )

select *
from final
order by breached_at, lead_key, visit_number
