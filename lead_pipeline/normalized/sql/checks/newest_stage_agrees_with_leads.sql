-- Changed leads whose newest interval does not show their own stage and status, or that have none.
with wrong as (
    select leads.lead_key
    from checked_leads as leads
    left join checked_history as history
        on history.lead_key = leads.lead_key
        and history.is_current
    where
        history.lead_key is null
        or history.stage is distinct from leads.stage
        or history.provider_stage is distinct from leads.provider_stage
        or history.provider_status is distinct from leads.provider_status
)
select
    count(*) as failures,
    (array_agg(lead_key order by lead_key))[:5] as examples,
    (select count(*) from checked_leads) as looked_at
from wrong
