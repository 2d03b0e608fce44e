-- What records of one stream ($provider, $stream) look like in `landed`: their members per object,
-- the types of their fields, the values of the enumerated ones. Records of one shape are one row.
create or replace temp table shapes as
select
    account,
    provider,
    stream,
    json_keys(payload, $object_paths) as object_keys,
    json_type(payload, $typed_paths) as types,
    json_extract_string(payload, $valued_paths) as shown_values,
    count(*) as records,
    min(fetched_at) as first_seen_at,
    max(fetched_at) as last_seen_at
from landed
where provider = $provider and stream = $stream
group by all
