-- What versions of leads with changes tell of stage and status, as {value}. A version a few seconds
-- beside a change shows what was or will be next to it: there the change is exact, and the version
-- tells nothing of it. The newest gives way only to changes after it.
create temp table told_versions as
with beside as (
    select
        versions.lead_key,
        versions.version_number,
        bool_or(
            changes.stage_to is not null
            and case
                when changes.occurred_at > versions.updated_at
                then changes.stage_to.value is not distinct from versions.provider_stage
                when changes.occurred_at < versions.updated_at and not versions.is_newest
                then changes.stage_from.value is not distinct from versions.provider_stage
                else false
            end
        ) as is_beside_stage,
        bool_or(
            changes.status_to is not null
            and case
                when changes.occurred_at > versions.updated_at
                then changes.status_to.value is not distinct from versions.provider_status
                when changes.occurred_at < versions.updated_at and not versions.is_newest
                then changes.status_from.value is not distinct from versions.provider_status
                else false
            end
        ) as is_beside_status
    from numbered_versions as versions
    join counted_changes as changes
        on changes.lead_key = versions.lead_key
        and abs(epoch_ms(changes.occurred_at) - epoch_ms(versions.updated_at)) <= 5000
    group by versions.lead_key, versions.version_number
),
-- Of a lead that never has a status, none tells nothing.
with_status as (
    select distinct lead_key
    from numbered_versions
    where provider_status is not null
)
select
    versions.lead_key,
    versions.version_number,
    case
        when not coalesce(beside.is_beside_stage, false)
        then {'value': versions.provider_stage}
    end as stage,
    case
        when
            not coalesce(beside.is_beside_status, false)
            and (
                not coalesce(beside.is_beside_stage, false)
                or versions.lead_key in (select lead_key from with_status)
            )
        then {'value': versions.provider_status}
    end as status
from numbered_versions as versions
left join beside using (lead_key, version_number)
semi join counted_changes using (lead_key)
