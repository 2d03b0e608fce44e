with

    leads as (select * from {{ source("normalized", "leads") }}),

    final as (
        select
            *, {{ utc_date("updated_at") }} as updated_date, missing_since is not null as is_missing
        from leads
    )

select *
from final
