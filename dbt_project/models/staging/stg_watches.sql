with

    watches as (select * from {{ source("internal", "watches") }}),

    final as (select account, watched_from, history_from, proven_until from watches)

select *
from final
