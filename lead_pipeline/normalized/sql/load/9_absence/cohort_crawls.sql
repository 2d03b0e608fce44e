-- When the newest complete crawl of an account's cohort began.
create temp table cohort_crawls as
select account, max(started_at) as started_at
from normalized.crawls
join streams using (provider, stream)
where streams.kind = 'cohort' and is_complete
group by account
