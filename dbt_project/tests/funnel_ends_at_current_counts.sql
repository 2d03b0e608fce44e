-- Each returned row is a stage of an account in which the funnel's last day counts other
-- leads than the leads table shows there now.
{{ config(meta={"dagster": {"ref": {"name": "stage_funnel_daily"}}}) }}
with

    funnel as (select * from {{ ref("stage_funnel_daily") }}),

    last_day as (
        select provider, account, stage, leads_in_stage
        from funnel
        where date_day = (select max(date_day) from funnel)
    ),

    current_leads as (
        select provider, account, stage, count(*) as leads
        from {{ ref("lead_facts") }}
        group by provider, account, stage
    )

select provider, account, stage, leads_in_stage, leads
from last_day
full outer join current_leads using (provider, account, stage)
where coalesce(leads_in_stage, 0) <> coalesce(leads, 0)
