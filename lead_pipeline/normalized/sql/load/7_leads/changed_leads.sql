-- Leads whose rows this load writes again.
create temp table changed_leads as
select lead_key from leads_with_records
union
select lead_key from leads_with_changed_coverage
union
select lead_key from leads_with_changed_proofs
