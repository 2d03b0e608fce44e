-- The merged stage changes, in place of those that were known.
delete from normalized.lead_stage_events
where event_id in (select event_id from stage_changes);
insert into normalized.lead_stage_events by name
select * from merged_stage_events
