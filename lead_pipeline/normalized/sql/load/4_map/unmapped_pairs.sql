-- Pairs of status and stage that nobody has looked up in the stage mapping yet.
create temp table unmapped_pairs as
select distinct account, provider, provider_status, provider_stage
from stage_pairs as pairs
where
    not exists (
        select 1
        from normalized.mapped_stages as known
        where
            known.account = pairs.account
            and known.provider = pairs.provider
            and known.provider_status is not distinct from pairs.provider_status
            and known.provider_stage is not distinct from pairs.provider_stage
    )
