-- The stage of each of `unmapped_pairs`, by the folded names. A status counts before a stage, a row
-- for the account before one for all of the provider's. A lead without a stage has the name ''.
insert into normalized.mapped_stages by name
with found as (
    select
        pairs.*,
        coalesce(stages.stage, 'unmapped') as stage,
        stages.stage_order,
        stages.is_terminal,
        row_number() over (
            partition by
                pairs.account, pairs.provider, pairs.provider_status, pairs.provider_stage
            order by stages.field = 'status' desc, stages.account is not null desc
        ) as precedence
    from unmapped_pairs as pairs
    left join folded_names as of_status on of_status.name = pairs.provider_status
    left join folded_names as of_stage on of_stage.name = pairs.provider_stage
    left join normalized.stages as stages
        on stages.provider = pairs.provider
        and coalesce(stages.account, pairs.account) = pairs.account
        and stages.value = case stages.field
            when 'status'
            then of_status.folded
            else coalesce(of_stage.folded, '')
        end
)
select
    found.* exclude (stage_order, is_terminal, precedence),
    coalesce(found.stage_order, canonical.stage_order) as stage_order,
    coalesce(found.is_terminal, canonical.is_terminal) as is_terminal
from found
join normalized.canonical_stages as canonical using (stage)
where precedence = 1
