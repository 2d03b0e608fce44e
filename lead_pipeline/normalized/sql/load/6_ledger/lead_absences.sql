-- What the searches of this load found, in place of what was known of them.
delete from normalized.lead_absences
where crawl_id in (select crawl_id from absences_of_load);
insert into normalized.lead_absences by name
select * from absences_of_load
