-- When each seen lead was first and last seen, and when a record of it was first served.
create temp table merged_sightings as
select
    lead_key,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    min(first_served_at) as first_served_at
from (
    select
        lead_key,
        seen_at as first_seen_at,
        seen_at as last_seen_at,
        served_at as first_served_at
    from seen_leads
    union all
    select lead_key, first_seen_at, last_seen_at, first_served_at
    from normalized.lead_sightings
    where lead_key in (select lead_key from seen_leads)
)
group by lead_key
