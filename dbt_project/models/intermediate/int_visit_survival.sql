-- How long visits of a stage last. Those that began under watch count, and those that were on when
-- their lead came under watch, from then on, where it is known when they began.
with

    spans as (
        select
            visits.provider,
            visits.account,
            visits.stage,
            visits.seconds_in_stage_lower as shortest,
            (visits.seconds_in_stage_lower + visits.seconds_in_stage_upper) / 2.0 as middle,
            visits.seconds_in_stage_upper as longest,
            {{ seconds_between("visits.entered_at", "leads.watched_from") }} as entry,
            not visits.is_current as is_ended,
            false as is_possible
        from {{ ref("stage_visits") }} as visits
        join {{ ref("stg_leads") }} as leads using (lead_key)
        where visits.is_counted
        union all
        select
            provider,
            account,
            stage,
            0 as shortest,
            max_seconds_in_stage / 2.0 as middle,
            max_seconds_in_stage as longest,
            0 as entry,
            true as is_ended,
            true as is_possible
        from {{ ref("int_possible_visits") }}
    ),

    survival as ({{ survival("spans", ["provider", "account", "stage"]) }})

select *
from survival
