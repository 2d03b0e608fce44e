-- Leads of each account, source and owner as they are now: open and stale ones by stage. Names as in explore.sql.
with
facts as (from marts.lead_facts),
largest_sources as (select source from facts group by source order by count(*) desc, source limit $most),
largest_owners as (
    select owner_key from facts group by owner_key order by count(*) desc, owner_key limit $most
)
select
    facts.account,
    coalesce(largest_sources.source, 'all others') as source,
    coalesce(largest_owners.owner_key, 'all others') as owner_key,
    facts.stage,
    count(*) as open,
    count(*) filter (where is_stale) as stale
from facts
left join largest_sources using (source)
left join largest_owners using (owner_key)
where is_open and not is_missing
group by all
order by all
