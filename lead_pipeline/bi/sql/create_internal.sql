-- What models need and readers are not promised, as views of the warehouse: no published file has
-- them. Versions without what was served, contact details, custom fields and version_id, which is
-- an unkeyed digest of all that: the order of a lead's versions is all that models need of it.
create schema memory.internal;
create view memory.internal.lead_versions as
select
    lead_key,
    row_number() over (
        partition by lead_key order by updated_at, last_seen_at, version_id
    ) as version_number,
    updated_at,
    first_seen_at,
    score,
    owner_id,
    owner_name
from warehouse.normalized.lead_versions;
create view memory.internal.unobserved_changes as
select lead_key, account, changed_after, changed_until
from warehouse.normalized.unobserved_changes;
create view memory.internal.watches as
select account, watched_from, poll_seconds, history_from, proven_until
from warehouse.normalized.watches;
create view memory.internal.provider_stale_leads as
select lead_key, account, provider, lead_id, first_listed_at, last_listed_at, is_listed
from warehouse.normalized.provider_stale_leads;
create view memory.internal.canonical_stages as
select stage, stage_order, is_terminal, is_on_path, colour, dark_colour
from warehouse.normalized.canonical_stages;
create view memory.internal.stages as
select account, provider, field, value, stage, stage_order
from warehouse.normalized.stages;
create view memory.internal.mapped_stages as
select account, provider, provider_status, provider_stage, stage, stage_order, is_terminal
from warehouse.normalized.mapped_stages;
-- One row per observation of a lead with another score or owner than the one before. Between which moments
-- it changed is what normalized.unobserved_changes says of that observation. Where it says nothing, since an
-- audit log or the records themselves tell each stage: after the state before was last served, and, where
-- a log has told that the lead changed, until its `updated_at`.
create view memory.internal.observed_changes as
with

    varied as (
        select lead_key
        from warehouse.normalized.lead_versions
        group by lead_key
        having
            min(owner_id) is distinct from max(owner_id)
            or min(score) is distinct from max(score)
            or count(owner_id) not in (0, count(*))
            or count(score) not in (0, count(*))
    ),

    observed as (
        select
            observations.lead_key,
            observations.served_at,
            versions.account,
            versions.updated_at,
            versions.score,
            versions.owner_id,
            versions.owner_name,
            -- The order in which the warehouse has them, too.
            row_number() over (
                partition by observations.lead_key
                order by
                    observations.served_at,
                    observations.fetched_at,
                    versions.updated_at,
                    observations.version_id,
                    observations.crawl_id
            ) as observation_number
        from warehouse.normalized.lead_observations as observations
        join warehouse.normalized.lead_versions as versions using (lead_key, version_id)
        semi join varied on varied.lead_key = observations.lead_key
    ),

    pairs as (
        select
            *,
            -- The last moment at which it can have been served: a `Date` has whole seconds.
            case
                when served_at = date_trunc('second', served_at)
                then served_at + interval 1 second
                else served_at
            end as served_by,
            lag(served_at) over in_order as shown_before,
            lag(score) over in_order as from_score,
            lag(owner_id) over in_order as from_owner_id,
            lag(owner_name) over in_order as from_owner_name
        from observed
        window in_order as (partition by lead_key order by observation_number)
    ),

    changes as (
        select *
        from pairs
        where
            shown_before is not null
            and (score is distinct from from_score or owner_id is distinct from from_owner_id)
    ),

    -- Each moment that a stretch can end with is looked up by itself: DuckDB joins by equal values only.
    ends as (
        select lead_key, observation_number, shown_before, updated_at as changed_until
        from changes
        union
        select lead_key, observation_number, shown_before, served_by as changed_until
        from changes
    ),

    stretches as (
        select
            ends.lead_key,
            ends.observation_number,
            arg_min(
                stretches.changed_after, (stretches.changed_until, stretches.changed_after)
            ) as changed_after,
            min(stretches.changed_until) as changed_until
        from ends
        join warehouse.normalized.unobserved_changes as stretches using (lead_key, changed_until)
        where stretches.changed_after >= ends.shown_before
        group by ends.lead_key, ends.observation_number
    ),

    bounded as (
        select
            changes.*,
            logs.account is not null and changes.updated_at > changes.shown_before as is_time_told,
            stretches.changed_after,
            stretches.changed_until
        from changes
        left join
            (select distinct account from warehouse.normalized.audit_coverage) as logs
            on logs.account = changes.account
        left join stretches using (lead_key, observation_number)
    ),

    timed as (
        select
            *,
            coalesce(changed_after, shown_before) as earliest,
            max(
                coalesce(
                    changed_until,
                    case when is_time_told then least(updated_at, served_by) end,
                    served_by
                )
            ) over (
                partition by lead_key
                order by observation_number
                rows between unbounded preceding and current row
            ) as latest
        from bounded
    )

select
    lead_key,
    row_number() over (partition by lead_key order by observation_number) as change_number,
    least(earliest, latest) as changed_after,
    latest as changed_at,
    score is distinct from from_score as is_score_changed,
    from_score,
    score as to_score,
    owner_id is distinct from from_owner_id as is_owner_changed,
    from_owner_id,
    from_owner_name,
    owner_id as to_owner_id,
    owner_name as to_owner_name
from timed;
