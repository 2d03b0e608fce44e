-- A file of limits from before there was in_working_hours does without the column.
with

    limits as (
        select *
        from {{ ref("stage_limits") }}
        union all by name
        select cast(null as boolean) as in_working_hours
        where false
    ),

    final as (
        select provider, stage, limit_hours, coalesce(in_working_hours, false) as in_working_hours
        from limits
    )

select *
from final
