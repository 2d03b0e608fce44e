-- Versions of the touched leads whose updated_at lies after the first time they were read.
select count(*) as failures, (array_agg(distinct lead_key order by lead_key))[:5] as examples
from normalized.lead_versions
where
    lead_key in (select lead_key from all_touched)
    and updated_at > first_seen_at + interval 5 minutes
