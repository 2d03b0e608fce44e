-- The versions of the changed leads as the tables hold them now, read once for all checks.
create temp table checked_versions as
select lead_key, version_id, updated_at, first_seen_at
from normalized.lead_versions
where lead_key in (select lead_key from changed_leads)
