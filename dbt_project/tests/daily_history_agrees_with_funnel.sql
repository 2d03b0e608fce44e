-- Each returned row is a day, account and stage in which the daily history counts other leads
-- than the funnel does: the two tell the same history in two ways.
{{ config(meta={"dagster": {"ref": {"name": "lead_daily_history"}}}) }}
with

    daily as (
        select date_day, account, stage, count(*) as leads
        from {{ ref("lead_daily_history") }}
        group by date_day, account, stage
    ),

    funnel as (
        select funnel.date_day, funnel.account, funnel.stage, funnel.leads_in_stage
        from {{ ref("stage_funnel_daily") }} as funnel
        join {{ ref("int_account_horizons") }} as horizons using (account)
        where funnel.date_day between horizons.first_day and horizons.last_day
    )

select date_day, account, stage, leads, leads_in_stage
from funnel
left join daily using (date_day, account, stage)
where coalesce(leads, 0) <> leads_in_stage
