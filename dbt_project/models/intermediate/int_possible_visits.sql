-- Visits that nobody saw, but that the path from a new lead to a won one suggests: between the two
-- stages that two polls showed, or before the first. They lasted from no time at all up to as
-- long as
-- the change between the polls can have taken. Visits beside the path, and those of leads that went
-- back and forth between two polls, are not suggested by anything.
with

    visits as (select * from {{ ref("stage_visits") }}),

    path as (select stage, canonical_order from {{ ref("stg_canonical_stages") }} where is_on_path),

    steps as (
        select
            visits.*,
            seen.canonical_order as seen_order,
            case
                when visits.visit_number = 1 then 0 else previous.canonical_order
            end as previous_order
        from visits
        join path as seen using (stage)
        left join path as previous on previous.stage = visits.previous_stage
        where visits.entered_after < visits.entered_at and visits.is_counted
    ),

    final as (
        select
            steps.lead_key,
            steps.provider,
            steps.account,
            path.stage,
            {{ seconds_between("steps.entered_after", "steps.entered_at") }} as max_seconds_in_stage
        from steps
        join
            path
            on path.canonical_order > steps.previous_order
            and path.canonical_order < steps.seen_order
    )

select *
from final
