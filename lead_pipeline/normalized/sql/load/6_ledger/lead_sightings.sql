-- The merged sightings, in place of those that were known.
delete from normalized.lead_sightings
where lead_key in (select lead_key from merged_sightings);
insert into normalized.lead_sightings by name
select * from merged_sightings
