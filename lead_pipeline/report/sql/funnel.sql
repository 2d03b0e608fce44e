-- Of each account's leads that are watched since their creation: how many were seen in each stage of the path or
-- one further along, and how many at most were. With a row for all accounts, whose account is null.
select
    account,
    count(*) as new,
    count(*) as new_upper,
    count(*) filter (where has_reached_engaged) as engaged,
    count(*) filter (where has_reached_engaged or can_hide_stages) as engaged_upper,
    count(*) filter (where has_reached_qualified) as qualified,
    count(*) filter (where has_reached_qualified or can_hide_stages) as qualified_upper,
    count(*) filter (where has_reached_booked) as booked,
    count(*) filter (where has_reached_booked or can_hide_stages) as booked_upper,
    count(*) filter (where has_reached_won) as won,
    count(*) filter (where has_reached_won or can_hide_stages) as won_upper
from marts.lead_facts
where is_watched
group by grouping sets ((), (account))
having count(*) > 0
order by account nulls first
