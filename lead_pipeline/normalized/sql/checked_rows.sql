-- The rows of all touched leads as the tables hold them now, read once for all checks.
create or replace temp table checked_versions as
select lead_key, version_id, updated_at, first_seen_at
from normalized.lead_versions
where lead_key in (select lead_key from all_touched);
create or replace temp table checked_leads as
select lead_key, stage, provider_stage, provider_status
from normalized.leads
where lead_key in (select lead_key from all_touched);
create or replace temp table checked_history as
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
where lead_key in (select lead_key from all_touched);
