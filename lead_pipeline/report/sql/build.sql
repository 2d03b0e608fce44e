-- One row: the build that readers have. Times in the zone of the session, without it.
select
    timezone(current_setting('TimeZone'), (select max(published_at) from meta.publish)) as published_at,
    run_id,
    tests_passed,
    exists (from meta.masking) as is_masked
from meta.build
