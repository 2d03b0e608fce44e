-- Entries and exits are counted where they happen and added up over the days, so the cost
-- grows with stage changes plus days, never with leads times days.
with

    visits as (select * from {{ ref("int_lead_stage_visits") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    changes as (
        select entered_date as date_day, provider, account, stage, 1 as entered, 0 as exited
        from visits
        union all
        select exited_date as date_day, provider, account, stage, 0 as entered, 1 as exited
        from visits
        where exited_date is not null
    ),

    changes_by_day as (
        select date_day, provider, account, stage, sum(entered) as entered, sum(exited) as exited
        from changes
        group by date_day, provider, account, stage
    ),

    -- To the last day that the data of any account reaches: quiet accounts are flat lines, not
    -- lines that end, and the last day counts all leads.
    bounds as (
        select
            min(changes_by_day.date_day) as first_day,
            greatest(max(changes_by_day.date_day), (select max(last_day) from horizons)) as last_day
        from changes_by_day
    ),

    days as (
        select
            cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as date_day
        from bounds
    ),

    funnel_stages as (select distinct provider, account, stage from changes_by_day),

    final as (
        select
            days.date_day,
            funnel_stages.provider,
            funnel_stages.account,
            funnel_stages.stage,
            cast(coalesce(changes_by_day.entered, 0) as bigint) as leads_entered,
            cast(coalesce(changes_by_day.exited, 0) as bigint) as leads_exited,
            cast(
                sum(coalesce(changes_by_day.entered, 0) - coalesce(changes_by_day.exited, 0)) over (
                    partition by funnel_stages.account, funnel_stages.stage, funnel_stages.provider
                    order by days.date_day
                ) as bigint
            ) as leads_in_stage
        from days
        cross join funnel_stages
        left join changes_by_day using (date_day, provider, account, stage)
    )

select *
from final
order by date_day, provider, account, stage
