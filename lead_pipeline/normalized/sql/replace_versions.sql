-- The merged versions take the place of their former rows.
delete from normalized.lead_versions
where version_id in (select version_id from merged_versions);
insert into normalized.lead_versions by name
select * from merged_versions;
