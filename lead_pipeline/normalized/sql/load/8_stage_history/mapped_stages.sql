-- Only what leads show or have shown stays, so that the order of loads makes no difference.
delete from normalized.mapped_stages as known
where
    not exists (
        select 1
        from normalized.lead_stage_history as history
        where
            history.account = known.account
            and history.provider = known.provider
            and history.provider_status is not distinct from known.provider_status
            and history.provider_stage is not distinct from known.provider_stage
    )
