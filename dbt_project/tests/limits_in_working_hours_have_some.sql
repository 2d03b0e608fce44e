-- Each returned row is a limit in working hours although nobody has said which hours are worked,
-- so that
-- nothing can be measured against it: set LEAD_PIPELINE_WORKING_HOURS, or in_working_hours of
-- seeds/stage_limits.csv to false.
select * from {{ ref("stg_stage_limits") }} where in_working_hours and not {{ has_working_hours() }}
