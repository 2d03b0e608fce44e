with

    lead_facts as (select * from {{ ref("int_lead_facts") }}),

    counted as (
        select
            cohort_week,
            source,
            provider,
            count(*) as leads,
            count(*) filter (where is_missing) as leads_missing,
            count(*) filter (where has_reached_engaged) as reached_engaged,
            count(*) filter (where has_reached_qualified) as reached_qualified,
            count(*) filter (where has_reached_booked) as reached_booked,
            count(*) filter (where has_reached_won) as reached_won,
            count(*) filter (where has_reached_lost) as reached_lost,
            {{ whole_days("min(observed_seconds)") }} as observed_days
        from lead_facts
        group by cohort_week, source, provider
    ),

    final as (
        select
            *,
            {{ rate("reached_engaged", "leads") }} as engaged_rate,
            {{ rate("reached_qualified", "leads") }} as qualified_rate,
            {{ rate("reached_booked", "leads") }} as booked_rate,
            {{ rate("reached_won", "leads") }} as won_rate,
            {{ rate("reached_lost", "leads") }} as lost_rate,
            {{ rate("reached_qualified", "reached_engaged") }} as engaged_to_qualified_rate,
            {{ rate("reached_booked", "reached_qualified") }} as qualified_to_booked_rate,
            {{ rate("reached_won", "reached_booked") }} as booked_to_won_rate
        from counted
    )

select *
from final
order by cohort_week, source, provider
