-- Leads whose newest interval does not show the lead's own stage and status, or that have none.
select count(*)
from normalized.leads
left join normalized.lead_stage_history as history
    on history.lead_key = leads.lead_key and history.is_current
where
    history.lead_key is null
    or history.stage is distinct from leads.stage
    or history.provider_stage is distinct from leads.provider_stage
    or history.provider_status is distinct from leads.provider_status
