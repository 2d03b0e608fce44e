-- What records of one stream ($provider, $stream) look like: the members of their $objects, the
-- types of the fields $typed, the values of the fields $valued, each in the order of these names
-- ($object_paths and so on are the same as JSON paths). Records of one shape are one row.
create temp table if not exists record_shapes (
    account varchar,
    provider varchar,
    stream varchar,
    objects varchar[],
    object_keys varchar[][],
    typed varchar[],
    types varchar[],
    valued varchar[],
    shown_values varchar[],
    records bigint,
    first_seen_at timestamptz,
    last_seen_at timestamptz
);
insert into record_shapes by name
with shapes as (
    select
        account,
        -- As JSON: DuckDB groups by a text twice as fast as by a list of texts.
        to_json(json_keys(payload, $object_paths)) as object_keys,
        to_json(json_type(payload, $typed_paths)) as types,
        to_json(json_extract_string(payload, $valued_paths)) as shown_values,
        count(*) as records,
        min(fetched_at) as first_seen_at,
        max(fetched_at) as last_seen_at
    from landed
    where provider = $provider and stream = $stream
    group by all
)
select
    shapes.* exclude (object_keys, types, shown_values),
    from_json(object_keys, '[["VARCHAR"]]') as object_keys,
    from_json(types, '["VARCHAR"]') as types,
    from_json(shown_values, '["VARCHAR"]') as shown_values,
    $provider as provider,
    $stream as stream,
    $objects::varchar[] as objects,
    $typed::varchar[] as typed,
    $valued::varchar[] as valued
from shapes
