-- Each returned row is a target that begins on another day than a Monday, or the first of a
-- month, or that
-- anybody meets by doing nothing.
select *
from {{ ref("targets") }}
where
    target <= 0
    or (period = 'week' and isodow(starts_on) <> 1)
    or (period = 'month' and day(starts_on) <> 1)
