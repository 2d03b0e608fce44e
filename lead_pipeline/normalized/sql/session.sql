-- What every loading session needs.

-- Times are UTC; an infinite time is no time, nor is one in a year of five digits, which most
-- clients cannot read.
create or replace temp macro usable_time(value) as
    case
        when try_cast(value as timestamptz) between '0001-01-01' and '9999-12-31'
        then try_cast(value as timestamptz)
    end;

-- The streams of all providers, by kind.
create or replace temp table streams (provider varchar, stream varchar, kind varchar);

-- Records whose `payload` DuckDB can read: what mappings see.
create or replace temp table landed_records (
    provider varchar,
    account varchar,
    stream varchar,
    record_id varchar,
    updated_at timestamptz,
    created_at timestamptz,
    fetched_at timestamptz,
    crawl_id varchar,
    page integer,
    raw_payload varchar,
    repaired_payload varchar
);
create or replace temp view landed as
select
    * exclude (repaired_payload),
    coalesce(repaired_payload, raw_payload) as payload
from landed_records;

-- Leads whose rows must be written anew, and when leads were met, as this load finds them.
create or replace temp table touched (lead_key varchar);
create or replace temp table sighted (lead_key varchar, seen_at timestamptz);
