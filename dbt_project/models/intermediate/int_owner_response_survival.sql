-- How long it takes until a lead gets its first response; of one without, it is known that it takes
-- longer than until the end of its data.
with

    spans as (select * from {{ ref("int_responses") }}),

    survival as ({{ survival("spans", ["owner_key"]) }})

select *
from survival
