-- Leads of which this load can have changed whether they are missing: those seen, those written
-- again, those that a search found to have vanished, and those that a walk over the whole list,
-- loaded just now, did not meet.
create temp table maybe_missing as
select lead_key from seen_leads
union
select lead_key from changed_leads
union
select lead_key from absences_of_load
union
select sightings.lead_key
from normalized.leads
join normalized.lead_sightings as sightings using (lead_key)
join (
    select account, max(started_at) as started_at
    from normalized.crawls
    where shows_absence and crawl_id in (select crawl_id from crawls_of_load)
    group by account
) as walks
    on walks.account = leads.account
    and walks.started_at > sightings.last_seen_at
