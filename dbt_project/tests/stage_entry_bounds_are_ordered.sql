-- Each returned row is a stage that can have begun only after it was seen, or whose two
-- bounds differ although its beginning is said to be known exactly.
select lead_key, stage_number, entered_after, entered_at, evidence
from {{ source("normalized", "lead_stage_history") }}
where
    entered_after > entered_at
    or (evidence <> 'observed' and entered_after is distinct from entered_at)
