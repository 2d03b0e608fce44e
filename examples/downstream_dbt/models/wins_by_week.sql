select
    created_week,
    source,
    count(*) as leads,
    count(*) filter (where is_won) as leads_won
from {{ source("leads", "lead_facts") }}
where created_week is not null
group by created_week, source
