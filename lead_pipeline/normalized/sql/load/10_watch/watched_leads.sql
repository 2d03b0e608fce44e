-- Since when any change of a lead would have been seen, to within a poll, for the leads that this
-- load has written or whose account is watched since another time than before:
--   since its creation, where its history is known by then, or where its records tell all of it;
--   since its account's history is known, where the account's polls would have met it then;
--   since it was first served, where only a change brought it.
create temp table watched_leads as
with concerned as (
    select lead_key from changed_leads
    union
    select lead_key from leads_with_changed_watch
)
select
    leads.lead_key,
    case
        when told_whole.lead_key is not null
        then leads.created_at
        when leads.created_at >= watches.history_from
        then leads.created_at
        when leads.created_at >= coalesce(watches.all_from, leads.created_at)
        then watches.history_from
        when watches.history_from is not null
        then greatest(watches.history_from, sightings.first_served_at)
    end as watched_from
from normalized.leads
semi join concerned using (lead_key)
join normalized.lead_sightings as sightings using (lead_key)
left join told_whole using (lead_key)
left join account_watches as watches using (account)
