with

    leads as (select * from {{ source("normalized", "leads") }}),

    mapped_stages as (select * from {{ source("internal", "mapped_stages") }}),

    final as (
        select
            leads.*,
            {{ local_date("leads.updated_at") }} as updated_date,
            leads.missing_since is not null as is_missing,
            -- Whoever came under watch later is no sample of all leads: what became of it by then
            -- is
            -- part of why it is here.
            coalesce(leads.watched_from <= leads.created_at, false) as is_watched,
            mapped_stages.stage_order,
            mapped_stages.is_terminal,
            -- The one definition of an open lead; everything else asks for this column.
            not mapped_stages.is_terminal and leads.missing_since is null as is_open
        from leads
        left join
            mapped_stages
            on mapped_stages.account = leads.account
            and mapped_stages.provider = leads.provider
            and mapped_stages.provider_status is not distinct from leads.provider_status
            and mapped_stages.provider_stage is not distinct from leads.provider_stage
            and mapped_stages.stage = leads.stage
    )

select *
from final
