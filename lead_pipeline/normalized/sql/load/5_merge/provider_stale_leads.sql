-- The merged cohort, in place of what was known of its leads.
delete from normalized.provider_stale_leads
where lead_key in (select lead_key from cohort_leads);
insert into normalized.provider_stale_leads by name
select * from cohort_leads
