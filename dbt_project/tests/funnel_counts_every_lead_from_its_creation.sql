-- Each returned row is an account and day on which the stages together do not count every lead
-- that was
-- created by the day's end, or was known by then where its creation is not.
{{ config(meta={"dagster": {"ref": {"name": "stage_funnel_daily"}}}) }}
with

    born as (
        select
            leads.account,
            least(
                {{ local_date("leads.created_at") }}, min({{ local_date("history.entered_at") }})
            ) as date_day
        from {{ ref("stg_leads") }} as leads
        join {{ ref("stg_lead_stage_history") }} as history using (lead_key)
        group by leads.account, leads.lead_key, leads.created_at
    ),

    born_by_day as (select account, date_day, count(*) as leads from born group by all),

    counted as (
        select account, date_day, sum(leads_in_stage) as leads_counted
        from {{ ref("stage_funnel_daily") }}
        group by account, date_day
    ),

    existing as (
        select
            counted.account,
            counted.date_day,
            counted.leads_counted,
            sum(coalesce(born_by_day.leads, 0)) over (
                partition by counted.account order by counted.date_day
            ) as leads
        from counted
        left join born_by_day using (account, date_day)
    )

select *
from existing
where leads_counted <> leads
