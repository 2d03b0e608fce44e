with

    stage_history as (select * from {{ source("normalized", "lead_stage_history") }}),

    final as (
        select *, lag(stage) over (partition by lead_key order by stage_number) as previous_stage
        from stage_history
    )

select *
from final
