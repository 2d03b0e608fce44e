-- Leads that a crawl of the provider's own cohort of quiet leads listed, merged with those known.
create temp table cohort_leads as
with listed as (
    select
        lead_key,
        any_value(provider) as provider,
        any_value(account) as account,
        any_value(substr(lead_key, length(account) + 2)) as lead_id,
        min(fetched_at) as first_listed_at,
        max(fetched_at) as last_listed_at
    from keyed
    join streams using (provider, stream)
    where streams.kind = 'cohort'
    group by lead_key
),
known as (
    select * exclude (is_listed)
    from normalized.provider_stale_leads
    where lead_key in (select lead_key from listed)
)
select
    lead_key,
    provider,
    account,
    lead_id,
    min(first_listed_at) as first_listed_at,
    max(last_listed_at) as last_listed_at,
    false as is_listed
from (
    select * from listed
    union all by name
    select * from known
)
group by all
