-- States of the changed leads that stand in more than one row.
with repeated as (
    select any_value(lead_key) as lead_key
    from checked_versions
    group by version_id
    having count(*) > 1
)
select
    count(*) as failures,
    (array_agg(lead_key order by lead_key))[:5] as examples,
    (select count(*) from checked_versions) as looked_at
from repeated
