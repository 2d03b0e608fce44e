-- Accounts with fewer leads than the provider counted when its newest full crawl began. Counted
-- are leads that were known when it ended and have been seen since it began, all by our clock.
with newest_walks as (
    select
        account,
        max(started_at) as started_at,
        arg_max(finished_at, started_at) as finished_at,
        arg_max(total, started_at) as total
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
        and leads.first_seen_at <= newest_walks.finished_at
    group by all
),
fewer as (
    select format('{}: {:,} of {:,} leads', account, leads, total) as what
    from counted
    where leads < total
)
select
    count(*) as failures,
    array_agg(what order by what) as examples,
    (select count(*) from counted) as looked_at
from fewer
