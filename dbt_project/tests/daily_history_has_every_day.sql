-- Each returned row is a run of days that does not begin on the day after the run before it
-- ended, so that
-- the daily history of a lead lacks a day or has one twice; or that ends before it begins.
{{ config(meta={"dagster": {"ref": {"name": "lead_day_segments"}}}) }}
select
    lead_key,
    first_day,
    last_day,
    lag(last_day) over (partition by lead_key order by first_day) as previous_last_day
from {{ ref("lead_day_segments") }}
qualify first_day <> coalesce(previous_last_day + 1, first_day) or last_day < first_day
