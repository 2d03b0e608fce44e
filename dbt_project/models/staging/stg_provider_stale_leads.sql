with

    listed_leads as (select * from {{ source("internal", "provider_stale_leads") }}),

    final as (select lead_key, first_listed_at, last_listed_at, is_listed from listed_leads)

select *
from final
