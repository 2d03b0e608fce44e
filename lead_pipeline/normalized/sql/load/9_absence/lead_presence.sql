-- A lead is missing since the end of the first complete walk over the whole list that began after
-- the lead was last seen and did not show it. A table of its own: DuckDB plans the update over a
-- plain join ten times as fast.
create temp table lead_presence as
with last_seen as (
    select leads.lead_key, leads.account, sightings.first_seen_at, sightings.last_seen_at
    from normalized.leads
    join normalized.lead_sightings as sightings using (lead_key)
    where leads.lead_key in (select lead_key from maybe_missing)
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
    where shows_absence
)
select
    last_seen.lead_key,
    last_seen.first_seen_at,
    last_seen.last_seen_at,
    walks.finished_at as missing_since
from last_seen
asof left join walks
    on walks.account = last_seen.account
    and walks.started_at > last_seen.last_seen_at
