-- The rows of the changed leads as the tables hold them now, read once for all checks.
create temp table checked_leads as
select lead_key, stage, provider_stage, provider_status
from normalized.leads
where lead_key in (select lead_key from changed_leads)
