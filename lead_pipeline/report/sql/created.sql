-- New leads of each of the $days days until $day.
with
days as (
    select cast(unnest(generate_series($day::date - $days::integer + 1, $day::date, interval 1 day)) as date) as date_day
)
select days.date_day, count(leads.lead_key) as leads
from days
left join marts.lead_facts as leads on leads.created_day = days.date_day
group by days.date_day
order by days.date_day
