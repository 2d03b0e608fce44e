-- What complete crawls that ask by time, or walk over the whole list, prove: a lead that such a crawl
-- did not bring has not changed in [proven_from, unchanged_until). Where an account's audit log is
-- read, it says what changed; elsewhere the list does.
create temp table polls as
with complete as (
    select
        crawls.account,
        streams.kind,
        crawls.is_full,
        coalesce(crawls.served_from, crawls.started_at) as began_at,
        crawls.proven_from,
        crawls.unchanged_until,
        crawls.crawl_id,
        exists (
            select 1
            from streams as logs
            where logs.provider = crawls.provider and logs.kind = 'events'
        ) as can_have_log
    from normalized.crawls as crawls
    join streams using (provider, stream)
    where crawls.is_complete and crawls.unchanged_until is not null
)
select account, began_at, proven_from, unchanged_until, kind = 'events' as is_log
from complete
where
    case
        when account in (select account from complete where kind = 'events')
        then kind = 'events'
        -- Leads created in a window say nothing of others that changed in it.
        when can_have_log
        then kind = 'records' and is_full
        else kind = 'records'
    end
order by account, began_at, crawl_id
