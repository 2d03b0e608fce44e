-- Accounts with fewer leads than the provider counted when its newest full crawl began. Counted
-- are leads that existed then and were met since, by that crawl or later.
with newest_walks as (
    select account, arg_max(started_at, started_at) as started_at, arg_max(total, started_at) as total
    from normalized.crawls
    where is_complete and is_full and total is not null
    group by account
),
counted as (
    select
        newest_walks.account,
        newest_walks.total,
        count(leads.lead_key) as leads
    from newest_walks
    left join normalized.leads as leads
        on leads.account = newest_walks.account
        and leads.last_seen_at >= newest_walks.started_at
        -- Without a time of creation it may have existed.
        and (leads.created_at <= newest_walks.started_at or leads.created_at is null)
    group by all
),
fewer as (
    select format('{}: {:,} of {:,} leads', account, leads, total) as what
    from counted
    where leads < total
)
select count(*) as failures, array_agg(what order by what) as examples
from fewer
