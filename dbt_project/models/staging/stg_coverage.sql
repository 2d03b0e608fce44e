with

    coverage as (select * from {{ source("meta", "coverage") }}),

    final as (select account, provider, complete_from, complete_through from coverage)

select *
from final
