with

    versions as (select * from {{ source("internal", "lead_versions") }}),

    final as (
        select
            *,
            {{ utc_date("updated_at") }} as updated_date,
            row_number() over (
                partition by lead_key order by updated_at, last_seen_at, version_id
            ) as version_number
        from versions
    )

select *
from final
