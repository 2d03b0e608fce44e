-- A lead is listed while the newest complete crawl of the cohort, or a later one, has shown it.
update normalized.provider_stale_leads as leads
set is_listed = not leads.is_listed
from cohort_crawls
where
    cohort_crawls.account = leads.account
    and leads.is_listed <> (leads.last_listed_at >= cohort_crawls.started_at);
-- Before the first complete crawl, whoever was listed still is.
update normalized.provider_stale_leads
set is_listed = true
where not is_listed and account not in (select account from cohort_crawls)
