with

    versions as (select * from {{ source("internal", "lead_versions") }}),

    final as (select *, {{ local_date("updated_at") }} as updated_date from versions)

select *
from final
