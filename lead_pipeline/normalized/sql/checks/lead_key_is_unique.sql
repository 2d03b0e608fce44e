-- Changed leads with versions that stand in no row or in several.
with wanted as (
    select distinct lead_key
    from checked_versions
),
found as (
    select lead_key, count(*) as row_count
    from checked_leads
    group by lead_key
),
wrong as (
    select lead_key
    from wanted
    full join found using (lead_key)
    where coalesce(found.row_count, 0) <> 1 or wanted.lead_key is null
)
select
    count(*) as failures,
    (array_agg(lead_key order by lead_key))[:5] as examples,
    (select count(*) from checked_versions) as looked_at
from wrong
