-- A lead is missing since the end of the first complete walk over the whole list that began after
-- the lead was last met and did not show it. Only leads whose answer changes are written.
with last_met as (
    select leads.lead_key, leads.account, sightings.first_seen_at, sightings.last_seen_at
    from normalized.leads
    join normalized.lead_sightings as sightings using (lead_key)
    where leads.account in (select account from changed_accounts)
),
missing as (
    select
        last_met.lead_key,
        any_value(last_met.first_seen_at) as first_seen_at,
        any_value(last_met.last_seen_at) as last_seen_at,
        min(crawls.finished_at) as missing_since
    from last_met
    left join normalized.crawls
        on crawls.account = last_met.account
        and crawls.is_complete
        and crawls.is_full
        and crawls.started_at > last_met.last_seen_at
    group by last_met.lead_key
)
update normalized.leads
set
    first_seen_at = missing.first_seen_at,
    last_seen_at = missing.last_seen_at,
    missing_since = missing.missing_since
from missing
where
    leads.lead_key = missing.lead_key
    and (
        leads.first_seen_at is distinct from missing.first_seen_at
        or leads.last_seen_at is distinct from missing.last_seen_at
        or leads.missing_since is distinct from missing.missing_since
    )
