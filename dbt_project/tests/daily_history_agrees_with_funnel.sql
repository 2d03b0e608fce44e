-- Each returned row is a day, account and stage in which the daily history counts other leads
-- than the funnel does: the two tell the same history in two ways.
{{ config(meta={"dagster": {"ref": {"name": "lead_day_segments"}}}) }}
with

    changes as (
        select first_day as date_day, account, stage, 1 as leads
        from {{ ref("lead_day_segments") }}
        union all
        select last_day + 1 as date_day, account, stage, -1 as leads
        from {{ ref("lead_day_segments") }}
    ),

    -- Leads that are in a stage from one of these days to the next.
    daily as (
        select
            date_day,
            account,
            stage,
            sum(sum(leads)) over (partition by account, stage order by date_day) as leads
        from changes
        group by date_day, account, stage
    ),

    funnel as (
        select funnel.date_day, funnel.account, funnel.stage, funnel.leads_in_stage
        from {{ ref("stage_funnel_daily") }} as funnel
        join {{ ref("int_account_horizons") }} as horizons using (account)
        where funnel.date_day between horizons.first_day and horizons.last_day
    )

select funnel.date_day, funnel.account, funnel.stage, daily.leads, funnel.leads_in_stage
from funnel
asof left join
    daily
    on daily.account = funnel.account
    and daily.stage = funnel.stage
    and daily.date_day <= funnel.date_day
where coalesce(daily.leads, 0) <> funnel.leads_in_stage
