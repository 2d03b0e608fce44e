-- The stage history of the changed leads as the tables hold them now, read once for all checks.
create temp table checked_history as
select
    lead_key,
    stage_number,
    stage,
    provider_stage,
    provider_status,
    entered_at,
    entered_after,
    exited_at,
    is_current,
    evidence
from normalized.lead_stage_history
where lead_key in (select lead_key from changed_leads)
