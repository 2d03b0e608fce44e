-- Leads of each provider, watched from their creation, that reached each stage of the path to won; $path
-- has its stages in order. Providers of which no lead is watched so long have no row.
with totals as (
    select
        provider,
        sum(leads_watched) as new,
        sum(reached_engaged) as engaged,
        sum(reached_qualified) as qualified,
        sum(reached_booked) as booked,
        sum(reached_won) as won,
        sum(leads_watched) as new_upper,
        sum(reached_engaged_upper) as engaged_upper,
        sum(reached_qualified_upper) as qualified_upper,
        sum(reached_booked_upper) as booked_upper,
        sum(reached_won_upper) as won_upper
    from marts.funnel_by_cohort
    group by provider
    having sum(leads_watched) > 0
),
reached as (
    unpivot totals
    on
        (new, new_upper) as new,
        (engaged, engaged_upper) as engaged,
        (qualified, qualified_upper) as qualified,
        (booked, booked_upper) as booked,
        (won, won_upper) as won
    into name stage value leads, leads_upper
)
select
    provider,
    stage,
    leads::bigint as leads,
    leads_upper::bigint as leads_upper,
    leads / nullif(first_value(leads) over path, 0) as share_of_all,
    leads / nullif(lag(leads) over path, 0) as share_of_before
from reached
window path as (
    partition by provider
    order by list_position($path::varchar[], stage)
)
order by provider, list_position($path::varchar[], stage)
