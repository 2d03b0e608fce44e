-- When each lead was first and last met. `sighted`: (lead_key, seen_at), any number per lead.
create or replace temp table merged_sightings as
select lead_key, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at
from (
    select lead_key, seen_at as first_seen_at, seen_at as last_seen_at from sighted
    union all
    select lead_key, first_seen_at, last_seen_at
    from normalized.lead_sightings
    where lead_key in (select lead_key from sighted)
)
group by lead_key;
delete from normalized.lead_sightings
where lead_key in (select lead_key from merged_sightings);
insert into normalized.lead_sightings by name
select * from merged_sightings;
