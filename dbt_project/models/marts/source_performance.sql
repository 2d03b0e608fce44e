with

    lead_facts as (select * from {{ ref("int_lead_facts") }}),

    counted as (
        select
            provider,
            source,
            count(*) as leads,
            count(*) filter (where is_missing) as leads_missing,
            count(*) filter (where is_open) as leads_open,
            count(*) filter (where is_won) as leads_won,
            count(*) filter (where is_lost) as leads_lost,
            count(*) filter (where is_unmapped) as leads_unmapped,
            count(*) filter (where has_reached_qualified) as reached_qualified,
            count(*) filter (where has_reached_booked) as reached_booked,
            count(*) filter (where has_reached_won) as reached_won,
            quantile_cont({{ days_of("seconds_to_win") }}, 0.5) filter (
                where has_reached_won
            ) as p50_days_to_win,
            avg(score) as mean_score,
            min(created_at) as first_created_at,
            max(created_at) as last_created_at
        from lead_facts
        group by provider, source
    ),

    final as (
        select
            *,
            {{ rate("reached_qualified", "leads") }} as qualified_rate,
            {{ rate("reached_booked", "leads") }} as booked_rate,
            {{ rate("reached_won", "leads") }} as won_rate,
            {{ rate("leads_won", "leads_won + leads_lost") }} as win_rate
        from counted
    )

select *
from final
order by provider, source
