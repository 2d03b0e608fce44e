{% set stages = ["qualified", "booked", "won"] %}
with

    lead_facts as (
        select
            *,
            {{ days_of("seconds_to_win_upper") }} as days_to_win,
            {{ days_of("seconds_to_win_lower") }} as min_days_to_win
        from {{ ref("lead_facts") }}
    ),

    counted as (
        select
            provider,
            source,
            count(*) as leads,
            count(*) filter (where is_missing) as leads_missing,
            count(*) filter (where is_watched) as leads_watched,
            count(*) filter (where is_open) as leads_open,
            count(*) filter (where is_won) as leads_won,
            count(*) filter (where is_lost) as leads_lost,
            count(*) filter (where is_unmapped) as leads_unmapped,
            {{ reached(stages) }}
            median((days_to_win + min_days_to_win) / 2) filter (where is_watched) as days_between,
            median(min_days_to_win) filter (where is_watched) as p50_days_to_win_lower,
            median(days_to_win) filter (where is_watched) as p50_days_to_win_upper,
            avg(score) as mean_score,
            min(created_at) as first_created_at,
            max(created_at) as last_created_at
        from lead_facts
        group by provider, source
    ),

    final as (
        select
            counted.* exclude (days_between),
            {{ told("days_between", "p50_days_to_win_lower", "p50_days_to_win_upper") }}
            as p50_days_to_win,
            {{ reached_rates(stages) }}
            {{ rate("leads_won", "leads_won + leads_lost") }} as win_rate
        from counted
    )

select *
from final
order by provider, source
