-- Freshness and coverage of each account.
select
    publish.account,
    publish.provider,
    publish.leads,
    count(*) filter (where leads.is_missing) as leads_missing,
    publish.complete_from,
    publish.complete_through,
    publish.watched_from,
    publish.poll_seconds / 3600.0 as poll_hours,
    min(leads.created_at) as first_created_at,
    publish.published_at,
    publish.note
from meta.publish as publish
left join marts.leads as leads using (account)
group by all
order by publish.account
