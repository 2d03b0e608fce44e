-- Leads of the accounts of which this load has changed since when their leads are watched. Between
-- two nights nothing of it changes.
create temp table leads_with_changed_watch as
select leads.lead_key
from normalized.leads
join account_watches as watches using (account)
left join normalized.watches as known using (account)
where
    watches.history_from is distinct from known.history_from
    or watches.all_from is distinct from known.all_from
