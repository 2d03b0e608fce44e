-- A lead is missing since it was first shown, after it was last seen, to be gone: by the end of a
-- complete walk over the whole list that began since and did not show it, or by a search. A table of
-- its own: DuckDB plans the update over a plain join ten times as fast.
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
),
searches as (
    select last_seen.lead_key, min(absences.not_shown_at) as not_shown_at
    from last_seen
    join normalized.lead_absences as absences
        on absences.lead_key = last_seen.lead_key
        and absences.not_shown_at > last_seen.last_seen_at
    group by last_seen.lead_key
)
select
    last_seen.lead_key,
    last_seen.first_seen_at,
    last_seen.last_seen_at,
    -- Whatever is null is left out.
    least(walks.finished_at, searches.not_shown_at) as missing_since
from last_seen
asof left join walks
    on walks.account = last_seen.account
    and walks.started_at > last_seen.last_seen_at
left join searches on searches.lead_key = last_seen.lead_key
