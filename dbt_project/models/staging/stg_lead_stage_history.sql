with

    stage_history as (select * from {{ source("normalized", "lead_stage_history") }}),

    mapped_stages as (select * from {{ source("internal", "mapped_stages") }}),

    final as (
        select
            stage_history.*,
            lag(stage_history.stage) over (
                partition by stage_history.lead_key order by stage_history.stage_number
            ) as previous_stage,
            mapped_stages.stage_order,
            mapped_stages.is_terminal,
            lag(mapped_stages.is_terminal) over (
                partition by stage_history.lead_key order by stage_history.stage_number
            ) as was_terminal
        from stage_history
        left join
            mapped_stages
            on mapped_stages.account = stage_history.account
            and mapped_stages.provider = stage_history.provider
            and mapped_stages.provider_status is not distinct from stage_history.provider_status
            and mapped_stages.provider_stage is not distinct from stage_history.provider_stage
            and mapped_stages.stage = stage_history.stage
    )

select *
from final
