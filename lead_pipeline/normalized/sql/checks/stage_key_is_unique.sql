-- Intervals of the changed leads that share lead and number.
with repeated as (
    select lead_key
    from checked_history
    group by lead_key, stage_number
    having count(*) > 1
)
select
    count(*) as failures,
    (array_agg(lead_key order by lead_key))[:5] as examples,
    (select count(*) from checked_history) as looked_at
from repeated
