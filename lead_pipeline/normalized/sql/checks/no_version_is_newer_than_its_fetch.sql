-- Versions of the changed leads whose updated_at lies after the first time they were read.
select
    count(*) as failures,
    (array_agg(distinct lead_key order by lead_key))[:5] as examples,
    (select count(*) from checked_versions) as looked_at
from checked_versions
where updated_at > first_seen_at + interval 5 minutes
