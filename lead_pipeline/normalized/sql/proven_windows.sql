-- What the loaded complete crawls of an account (?) prove, oldest first.
select stream, proven_from, proven_until, note, is_full
from normalized.crawls
where account = ? and is_complete
order by crawl_id
