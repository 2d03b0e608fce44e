-- After the days themselves: a build that ends between the two computes them again.
-- depends_on: {{ ref("lead_daily_history") }}
with

    segments as (select * from {{ ref("int_lead_day_segments") }}),

    final as (
        select lead_key, any_value(history_digest) as history_digest from segments group by lead_key
    )

select *
from final
