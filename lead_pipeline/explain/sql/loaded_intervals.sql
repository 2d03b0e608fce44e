-- The lead's stage intervals, oldest first.
select
    stage_number,
    stage,
    provider_status,
    provider_stage,
    provider_stage_name,
    entered_after,
    entered_at,
    exited_at,
    evidence
from normalized.lead_stage_history
where lead_key = $lead_key
order by stage_number
