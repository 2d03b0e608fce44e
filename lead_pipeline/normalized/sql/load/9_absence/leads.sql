-- When the leads were seen, and since when they are missing.
update normalized.leads
set
    first_seen_at = lead_presence.first_seen_at,
    last_seen_at = lead_presence.last_seen_at,
    missing_since = lead_presence.missing_since
from lead_presence
where
    leads.lead_key = lead_presence.lead_key
    and (
        leads.first_seen_at is distinct from lead_presence.first_seen_at
        or leads.last_seen_at is distinct from lead_presence.last_seen_at
        or leads.missing_since is distinct from lead_presence.missing_since
    )
