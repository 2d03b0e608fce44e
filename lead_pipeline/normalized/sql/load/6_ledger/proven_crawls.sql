-- What the complete crawls of the accounts of this load prove, oldest first; a row without a stream
-- where an account has none.
create temp table proven_crawls as
with accounts as (
    select distinct account, provider
    from crawls_of_load
)
select
    accounts.account,
    accounts.provider,
    crawls.stream,
    crawls.proven_from,
    crawls.proven_until,
    crawls.note,
    crawls.is_full
from accounts
left join normalized.crawls as crawls
    on crawls.account = accounts.account
    and crawls.is_complete
order by accounts.account, crawls.crawl_id
