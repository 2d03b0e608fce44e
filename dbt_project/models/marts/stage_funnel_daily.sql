-- Entries and exits are counted where they happen and added up over the days, so the cost grows
-- with
-- stage changes plus days, never with leads times days. From its creation to its first known
-- stage a
-- lead is in the stage `unknown`.
with

    visits as (select * from {{ ref("stage_visits") }}),

    leads as (select * from {{ ref("int_dated_leads") }}),

    uncertain_days as (select * from {{ ref("int_uncertain_days") }}),

    changed_leads as (select * from {{ ref("int_changed_leads_daily") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    unknown as (
        select
            leads.provider,
            leads.account,
            {{ local_date("leads.created_at") }} as entered_day,
            visits.entered_day as exited_day
        from leads
        join visits on visits.lead_key = leads.lead_key and visits.visit_number = 1
        where leads.created_at < visits.entered_at
    ),

    -- In which stage leads are shown at the ends of their uncertain days.
    uncertain as (
        select
            visits.provider,
            visits.account,
            visits.stage,
            greatest(visits.entered_day, uncertain_days.first_day) as first_day,
            least(visits.exited_day - 1, uncertain_days.last_day) as last_day
        from uncertain_days
        join
            visits
            on visits.lead_key = uncertain_days.lead_key
            and visits.entered_day <= uncertain_days.last_day
            and coalesce(visits.exited_day > uncertain_days.first_day, true)
            -- A visit that ends on the day of its beginning is at no day's end.
            and coalesce(visits.exited_day > visits.entered_day, true)
    ),

    changes as (
        select entered_day as date_day, provider, account, stage, 1 as leads, 0 as uncertain_leads
        from visits
        union all
        select exited_day as date_day, provider, account, stage, -1 as leads, 0 as uncertain_leads
        from visits
        where exited_day is not null
        union all
        select
            entered_day as date_day,
            provider,
            account,
            'unknown' as stage,
            1 as leads,
            0 as uncertain_leads
        from unknown
        union all
        select
            exited_day as date_day,
            provider,
            account,
            'unknown' as stage,
            -1 as leads,
            0 as uncertain_leads
        from unknown
        union all
        select first_day as date_day, provider, account, stage, 0 as leads, 1 as uncertain_leads
        from uncertain
        union all
        select last_day + 1 as date_day, provider, account, stage, 0 as leads, -1 as uncertain_leads
        from uncertain
    ),

    changes_by_day as (
        select
            date_day,
            provider,
            account,
            stage,
            sum(leads) as leads,
            sum(uncertain_leads) as uncertain_leads
        from changes
        group by date_day, provider, account, stage
    ),

    -- To the last day that the data of any account reaches: quiet accounts are flat lines, not
    -- lines
    -- that end, and the last day counts all leads.
    bounds as (
        select
            min(changes_by_day.date_day) filter (where leads <> 0) as first_day,
            greatest(
                max(changes_by_day.date_day) filter (where leads <> 0),
                (select max(last_day) from horizons)
            ) as last_day
        from changes_by_day
    ),

    days as (
        select
            cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as date_day
        from bounds
    ),

    funnel_stages as (select distinct provider, account, stage from changes_by_day),

    stocks as (
        select
            days.date_day,
            funnel_stages.provider,
            funnel_stages.account,
            funnel_stages.stage,
            sum(coalesce(changes_by_day.leads, 0)) over so_far as leads_in_stage,
            sum(coalesce(changes_by_day.uncertain_leads, 0)) over so_far as uncertain_leads
        from days
        cross join funnel_stages
        left join changes_by_day using (date_day, provider, account, stage)
        window
            so_far as (
                partition by funnel_stages.account, funnel_stages.stage, funnel_stages.provider
                order by days.date_day
            )
    ),

    bounded as (
        select
            stocks.*,
            stocks.stage <> 'unknown' as is_known,
            horizons.first_watched_day,
            horizons.last_proven_day,
            -- Beyond what is proven, any lead may be in any stage.
            case
                when stocks.date_day <= horizons.last_proven_day
                then stocks.leads_in_stage - stocks.uncertain_leads
                else 0
            end as certain_leads,
            sum(stocks.leads_in_stage) over (
                partition by stocks.account, stocks.date_day
            ) as existing_leads
        from stocks
        left join horizons using (account)
    ),

    shared as (
        select
            *,
            existing_leads - sum(certain_leads) filter (where is_known) over (
                partition by account, date_day
            ) as movable_leads,
            is_known
            and coalesce(date_day between first_watched_day and last_proven_day, false) as has_flows
        from bounded
    ),

    flows as (select * from {{ ref("int_stage_flows_daily") }}),

    final as (
        select
            shared.date_day,
            shared.provider,
            shared.account,
            shared.stage,
            {% for flow in ["leads_entered", "leads_exited"] %}
                cast(
                    case when has_flows then coalesce(flows.{{ flow }}, 0) end as bigint
                ) as {{ flow }},
                cast(
                    case when has_flows then coalesce(flows.{{ flow }}_certainly, 0) end as bigint
                ) as {{ flow }}_lower,
                cast(
                    case
                        when has_flows
                        then
                            coalesce(flows.{{ flow }}_exactly, 0)
                            + coalesce(changed_leads.leads_changed, 0)
                    end as bigint
                ) as {{ flow }}_upper,
            {% endfor %}
            cast(shared.leads_in_stage as bigint) as leads_in_stage,
            cast(
                case when is_known then certain_leads else shared.leads_in_stage end as bigint
            ) as leads_in_stage_lower,
            cast(
                case
                    when is_known then certain_leads + movable_leads else shared.leads_in_stage
                end as bigint
            ) as leads_in_stage_upper
        from shared
        left join flows using (date_day, provider, account, stage)
        left join changed_leads using (date_day, account)
    )

select *
from final
order by date_day, provider, account, stage
