-- Each returned row is a lead that lacks a day of its history, or has one too many: between its
-- first known stage (or the first day that is kept) and the last day of its account's data.
{{ config(meta={"dagster": {"ref": {"name": "lead_daily_history"}}}) }}
with

    wanted as (
        select lead_key, min(first_day) as first_day, max(last_day) as last_day
        from {{ ref("int_lead_day_segments") }}
        group by lead_key
    ),

    found as (
        select
            lead_key,
            min(date_day) as first_found,
            max(date_day) as last_found,
            count(*) as rows_found
        from {{ ref("lead_daily_history") }}
        group by lead_key
    )

select *
from wanted
full outer join found using (lead_key)
where
    first_day is distinct from first_found
    or last_day is distinct from last_found
    or rows_found <> last_day - first_day + 1
