-- `unusable_times` added to those that are already counted.
create temp table counted_times as
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
    select * from unusable_times
    union all by name
    select * from normalized.contract_drift where kind = 'time'
)
group by all;
delete from normalized.contract_drift
where kind = 'time';
insert into normalized.contract_drift by name
select * from counted_times
