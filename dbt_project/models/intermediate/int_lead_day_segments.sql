-- Days of a lead that look the same, as one row: the stage at their end, and score and owner
-- as of then. What happened is reduced to the last thing of each day first, so that the work grows
-- with changes.
with

    stage_history as (select * from {{ ref("stg_lead_stage_history") }}),

    leads as (select * from {{ ref("stg_leads") }}),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    versions as (select * from {{ ref("stg_lead_versions") }}),

    intervals as (
        select
            *,
            {{ local_date("entered_at") }} as entered_date,
            {{ local_date("exited_at") }} as exited_date,
            -- Steps between provider stages of one canonical stage do not begin it again.
            last_value(
                case when stage is distinct from previous_stage then entered_at end ignore nulls
            ) over (partition by lead_key order by stage_number) as stage_entered_at
        from stage_history
    ),

    -- An interval that ends on the day of its beginning is at no day's end.
    intervals_at_days_end as (
        select * from intervals where exited_date is null or exited_date > entered_date
    ),

    versions_at_days_end as (
        select
            lead_key,
            updated_date,
            arg_max_null(score, version_number) as score,
            arg_max_null(owner_id, version_number) as owner_id,
            arg_max_null(owner_name, version_number) as owner_name,
            max(version_number) as version_number
        from versions
        group by lead_key, updated_date
    ),

    -- From the creation of a lead to its first known stage it exists, and its stage is unknown.
    created as (
        select leads.lead_key, {{ local_date("leads.created_at") }} as first_day
        from leads
        join intervals on intervals.lead_key = leads.lead_key and intervals.stage_number = 1
        where {{ local_date("leads.created_at") }} < intervals.entered_date
    ),

    changes as (
        select lead_key, first_day, 0 as stage_number, null as version_number
        from created
        union all
        select lead_key, entered_date as first_day, stage_number, null as version_number
        from intervals_at_days_end
        union all
        select lead_key, updated_date as first_day, null as stage_number, version_number
        from versions_at_days_end
    ),

    changes_by_day as (
        select
            lead_key,
            first_day,
            max(stage_number) as stage_number,
            max(version_number) as version_number
        from changes
        group by lead_key, first_day
    ),

    segments as (
        select
            lead_key,
            first_day,
            lead(first_day) over lead_days - 1 as last_day,
            last_value(stage_number ignore nulls) over lead_days as stage_number,
            last_value(version_number ignore nulls) over lead_days as version_number
        from changes_by_day
        window lead_days as (partition by lead_key order by first_day)
    ),

    described as (
        select
            segments.lead_key,
            leads.provider,
            leads.account,
            leads.lead_id,
            segments.first_day,
            segments.last_day,
            nullif(segments.stage_number, 0) as stage_number,
            coalesce(intervals.stage, 'unknown') as stage,
            intervals.provider_stage,
            intervals.provider_status,
            -- From here to a day's end are as many whole days as lie between the dates: what begins
            -- at midnight fills its first day.
            {{ local_date("(intervals.stage_entered_at - interval 1 microsecond)") }}
            as stage_entered_day,
            intervals.evidence,
            versions_at_days_end.score,
            versions_at_days_end.owner_id,
            versions_at_days_end.owner_name,
            {{ local_date("leads.missing_since") }} as missing_date
        from segments
        left join intervals_at_days_end as intervals using (lead_key, stage_number)
        join leads using (lead_key)
        left join versions_at_days_end using (lead_key, version_number)
        -- Not before its creation, or its first known stage.
        where segments.stage_number is not null
    ),

    final as (
        select
            described.* exclude (first_day, last_day),
            greatest(described.first_day, horizons.first_day) as first_day,
            least(coalesce(described.last_day, horizons.last_day), horizons.last_day) as last_day
        from described
        join horizons using (account)
    )

select *
from final
where first_day <= last_day
