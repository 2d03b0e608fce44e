-- What complete crawls that ask by time, or walk over the whole list, prove: a lead that such a crawl
-- did not bring has not changed in [proven_from, unchanged_until). Where there is an audit log, it
-- says what changed; elsewhere the list does.
create temp table polls as
select
    crawls.account,
    coalesce(crawls.served_from, crawls.started_at) as began_at,
    crawls.proven_from,
    crawls.unchanged_until
from normalized.crawls as crawls
join streams using (provider, stream)
where
    crawls.is_complete
    and crawls.unchanged_until is not null
    and (
        crawls.is_full
        or streams.kind
        = case
            when
                exists (
                    select 1
                    from streams as logs
                    where logs.provider = crawls.provider and logs.kind = 'events'
                )
            then 'events'
            else 'records'
        end
    )
order by crawls.account, began_at, crawls.crawl_id
