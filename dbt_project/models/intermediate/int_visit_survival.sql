-- How long visits of a stage last. Those that began under watch count, and those that were on when
-- their lead came under watch, from then on, where it is known when they began.
with

    spans as (
        select
            provider,
            account,
            stage,
            min_seconds_in_stage as shortest,
            (min_seconds_in_stage + max_seconds_in_stage) / 2.0 as middle,
            max_seconds_in_stage as longest,
            case
                when enters_late then {{ seconds_between("entered_at", "watched_from") }} else 0
            end as entry,
            not is_current as is_ended,
            false as is_possible
        from {{ ref("int_lead_visit_lengths") }}
        where is_watched_from_start or enters_late
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
