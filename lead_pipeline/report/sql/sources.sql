-- Leads of each source: new ones of the seven days until $day and of the seven before; of those that are watched
-- since their creation, how many were seen qualified, and at most were; decided ones, and how many of them are won.
select
    source,
    count(*) filter (where created_day between $day::date - 6 and $day::date) as created,
    count(*) filter (where created_day between $day::date - 13 and $day::date - 7) as created_before,
    count(*) filter (where is_watched) as watched,
    count(*) filter (where is_watched and has_reached_qualified) as qualified,
    count(*) filter (where is_watched and (has_reached_qualified or can_hide_stages)) as qualified_upper,
    count(*) filter (where is_won) as won,
    count(*) filter (where is_won or is_lost) as decided,
    count(*) filter (where is_open and not is_missing) as open
from marts.lead_facts
group by source
order by created desc, open desc, source
