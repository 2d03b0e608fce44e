-- One row: the figures on top of the page. A week is the last seven days of the newest data.
with data_until as (select max(complete_through) as moment from meta.publish),
leads as (
    select leads.*, data_until.moment as data_until
    from marts.leads as leads, data_until
)
select
    count(*) as leads,
    count(*) filter (where is_open) as leads_open,
    count(*) filter (where stage = 'won') as leads_won,
    count(*) filter (where stage = 'won')
    / nullif(count(*) filter (where stage in ('won', 'lost')), 0) as win_rate,
    count(*) filter (
        where created_at >= data_until - interval 7 days and created_at < data_until
    ) as leads_new,
    (select count(*) from marts.stale_leads where is_stale) as leads_stale,
    (select count(*) from marts.sla_breaches where is_open) as leads_over_limit,
    (select count(*) from marts.people) as people
from leads
