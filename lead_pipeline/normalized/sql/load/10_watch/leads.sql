-- Since when the leads are watched.
update normalized.leads
set watched_from = watched_leads.watched_from
from watched_leads
where
    leads.lead_key = watched_leads.lead_key
    and leads.watched_from is distinct from watched_leads.watched_from
