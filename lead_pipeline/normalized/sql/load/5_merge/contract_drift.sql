-- `found_drift` added to what is already counted.
create temp table counted_drift as
select
    account,
    provider,
    stream,
    kind,
    field,
    value,
    sum(records)::bigint as records,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from (
    select * from found_drift
    union all by name
    select * from normalized.contract_drift
)
group by all;
delete from normalized.contract_drift;
insert into normalized.contract_drift by name
select * from counted_drift
