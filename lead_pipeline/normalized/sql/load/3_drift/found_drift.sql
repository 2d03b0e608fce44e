-- Fields, types and values in `record_shapes` that `known_fields` does not have.
create temp table found_drift as
with keys as (
    select
        account,
        provider,
        stream,
        records,
        first_seen_at,
        last_seen_at,
        unnest(objects) as parent,
        unnest(object_keys) as member_names
    from record_shapes
),
members as (
    select
        * exclude (parent, member_names),
        parent || case when parent = '' then '' else '.' end || unnest(member_names) as field
    from keys
),
types as (
    select
        account,
        provider,
        stream,
        records,
        first_seen_at,
        last_seen_at,
        unnest(typed) as field,
        unnest(types) as json_type
    from record_shapes
),
named_types as (
    select
        * exclude (json_type),
        case
            when json_type = 'VARCHAR' then 'string'
            when json_type in ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') then 'number'
            else lower(json_type)
        end as type
    from types
    where json_type <> 'NULL'
),
shown as (
    select
        account,
        provider,
        stream,
        records,
        first_seen_at,
        last_seen_at,
        unnest(valued) as field,
        unnest(shown_values) as value
    from record_shapes
),
drift as (
    select 'field' as kind, members.*, null::varchar as value
    from members
    anti join known_fields as known
        on known.provider = members.provider
        and known.stream = members.stream
        and known.field = members.field
    union all by name
    select 'type' as kind, named_types.* exclude (type), named_types.type as value
    from named_types
    anti join known_fields as known
        on known.provider = named_types.provider
        and known.stream = named_types.stream
        and known.field = named_types.field
        and known.type = named_types.type
    union all by name
    select 'value' as kind, shown.*
    from shown
    anti join known_fields as known
        on known.provider = shown.provider
        and known.stream = shown.stream
        and known.field = shown.field
        and list_contains(known.known_values, shown.value)
    anti join (
        select known.provider, known.stream, known.field, stages.account, names.name as value
        from known_fields as known
        join normalized.stages as stages
            on stages.provider = known.provider
            and stages.field = known.stage_field
        join folded_values as names on names.folded = stages.value
    ) as mapped
        on mapped.provider = shown.provider
        and mapped.stream = shown.stream
        and mapped.field = shown.field
        and mapped.value = shown.value
        and coalesce(mapped.account, shown.account) = shown.account
    where shown.value is not null
)
select
    account,
    provider,
    stream,
    kind,
    field,
    -- A value is told so that it can be mapped; what is longer is no enumerated value.
    left(value, 60) as value,
    sum(records)::bigint as records,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from drift
group by all
