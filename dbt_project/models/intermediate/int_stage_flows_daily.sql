-- How many leads entered and left each stage on each day: as shown, certainly (both bounds lie in
-- the
-- day) and exactly (the moment is known, and the lead is not among those that can have been
-- anywhere
-- on that day). A lead counts once a day and stage.
with

    visits as (select * from {{ ref("stage_visits") }}),

    changed_leads as (select * from {{ ref("int_changed_leads") }}),

    moves as (
        select
            provider,
            account,
            stage,
            lead_key,
            true as is_entry,
            entered_day as date_day,
            {{ local_date("entered_after") }} as earliest_date
        from visits
        union all
        select
            provider,
            account,
            stage,
            lead_key,
            false as is_entry,
            exited_day as date_day,
            {{ local_date("exited_after") }} as earliest_date
        from visits
        where exited_at is not null
    ),

    judged as (
        select
            moves.*,
            coalesce(moves.earliest_date = moves.date_day, false) as is_certain,
            changed_leads.lead_key is null as is_exact
        from moves
        left join changed_leads using (lead_key, date_day)
    ),

    final as (
        select
            date_day,
            provider,
            account,
            stage,
            count(distinct lead_key) filter (where is_entry) as leads_entered,
            count(distinct lead_key) filter (
                where is_entry and is_certain
            ) as leads_entered_certainly,
            count(distinct lead_key) filter (where is_entry and is_exact) as leads_entered_exactly,
            count(distinct lead_key) filter (where not is_entry) as leads_exited,
            count(distinct lead_key) filter (
                where not is_entry and is_certain
            ) as leads_exited_certainly,
            count(distinct lead_key) filter (
                where not is_entry and is_exact
            ) as leads_exited_exactly
        from judged
        group by date_day, provider, account, stage
    )

select *
from final
