-- What each account serves that no mapping knows. Fields are named; their values are a provider's, and
-- stay in the table.
select
    account,
    count(*) as rows_of_drift,
    list_sort(array_agg(distinct stream || '.' || field || ' (' || kind || ')'))[:$shown] as examples,
    count(distinct stream || '.' || field || ' (' || kind || ')') as distinct_fields,
    min(first_seen_at) as since
from normalized.contract_drift
where kind <> 'time'
group by account
order by account
