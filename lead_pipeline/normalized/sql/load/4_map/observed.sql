-- Observed states with all their columns.
create temp view observed as
select
    states.*,
    mapped.record_id as lead_id,
    mapped.* exclude (
        record_row,
        record_id,
        score,
        created_at,
        last_interaction_at,
        qualification_completed_at
    ),
    usable_score(mapped.score) as score
from mapped
join states on states.record_row = mapped.record_row
