-- Each returned row is a stage of an account that lacks a day between the funnel's first and
-- last one, or has a day twice.
with

    funnel as (select * from {{ ref("stage_funnel_daily") }}),

    bounds as (select date_diff('day', min(date_day), max(date_day)) + 1 as days from funnel)

select provider, account, stage, count(*) as rows_found, any_value(bounds.days) as rows_expected
from funnel
cross join bounds
group by provider, account, stage
having count(*) <> any_value(bounds.days)
