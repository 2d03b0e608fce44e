-- Leads whose bounds a crawl of this load may narrow although it did not bring them: all of an
-- account of which later crawls are loaded already. Loads in the order of the crawls have none.
create temp table leads_with_changed_proofs as
with late as (
    select distinct crawls_of_load.account
    from crawls_of_load
    join normalized.crawls as others
        on others.account = crawls_of_load.account
        and coalesce(others.served_from, others.started_at)
        > coalesce(crawls_of_load.served_from, crawls_of_load.started_at)
    where
        crawls_of_load.is_complete
        and others.crawl_id not in (select crawl_id from crawls_of_load)
)
select distinct lead_key
from normalized.lead_versions
where account in (select account from late)
