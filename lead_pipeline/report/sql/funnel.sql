-- Leads of each provider that reached each stage of the path to won; $path has its stages in order.
with totals as (
    select
        provider,
        sum(leads) as new,
        sum(reached_engaged) as engaged,
        sum(reached_qualified) as qualified,
        sum(reached_booked) as booked,
        sum(reached_won) as won
    from marts.funnel_by_cohort
    group by provider
),
reached as (
    unpivot totals
    on new, engaged, qualified, booked, won
    into name stage value leads
)
select
    provider,
    stage,
    leads::bigint as leads,
    leads / nullif(first_value(leads) over path, 0) as share_of_all,
    leads / nullif(lag(leads) over path, 0) as share_of_before
from reached
window path as (
    partition by provider
    order by list_position($path::varchar[], stage)
)
order by provider, list_position($path::varchar[], stage)
