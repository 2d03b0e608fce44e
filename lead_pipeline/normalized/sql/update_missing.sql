-- A lead is missing since the end of the first complete walk over the whole list that began after
-- the lead was last met and did not show it. Looked at are leads whose answer this load can have
-- changed: those met, those written anew, and those that a walk loaded just now did not meet.
-- `new_crawls`: (crawl_id) of the crawls that this load has recorded.
create or replace temp table doubtful as
select lead_key from sighted
union
select lead_key from all_touched
union
select sightings.lead_key
from normalized.leads
join normalized.lead_sightings as sightings using (lead_key)
join (
    select account, max(started_at) as started_at
    from normalized.crawls
    where is_complete and is_full and crawl_id in (select crawl_id from new_crawls)
    group by account
) as walks
    on walks.account = leads.account
    and walks.started_at > sightings.last_seen_at;
-- A table of its own: DuckDB plans the update over a plain join ten times as fast.
create or replace temp table missing as
with last_met as (
    select leads.lead_key, leads.account, sightings.first_seen_at, sightings.last_seen_at
    from normalized.leads
    join normalized.lead_sightings as sightings using (lead_key)
    where leads.lead_key in (select lead_key from doubtful)
),
walks as (
    select
        account,
        started_at,
        -- Of walks that began later, one may have ended sooner.
        min(finished_at) over (
            partition by account
            order by started_at
            range between current row and unbounded following
        ) as finished_at
    from normalized.crawls
    where is_complete and is_full
)
select
    last_met.lead_key,
    last_met.first_seen_at,
    last_met.last_seen_at,
    walks.finished_at as missing_since
from last_met
asof left join walks
    on walks.account = last_met.account
    and walks.started_at > last_met.last_seen_at;
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
