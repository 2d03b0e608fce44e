-- Landed records that may hold an email, whatever the provider calls the field: $pattern is the
-- mailbox in lower case with a % for all that JSON may write as an escape. It may also be written in
-- other characters, or with % in a link. The mapping decides.
create temp table landed_records as
select
    provider,
    account,
    stream,
    record_id,
    updated_at,
    created_at,
    fetched_at,
    fetched_at as served_at,
    crawl_id,
    page,
    payload as raw_payload
from read_parquet($files, hive_partitioning = false)
where
    lower(payload) like $pattern
    or regexp_matches(payload, '[^\x00-\x7F]|\\u[0-9a-fA-F]{4}|(?i:mailto:)')
