-- Changes of $day in the accounts $accounts, and of how many it is known only that they were between two polls.
select count(*) as changes, count(*) filter (where not is_certain_of_day) as uncertain
from marts.lead_changes
where
    changed_day = $day::date
    and field not in ('created')
    and list_contains($accounts::varchar[], account)
