-- `keyed` records with the canonical stage of their status and stage.
create temp view observed as
select keyed.*, mapped_stages.stage
from keyed
join normalized.mapped_stages as mapped_stages
    on mapped_stages.account = keyed.account
    and mapped_stages.provider = keyed.provider
    and mapped_stages.provider_status is not distinct from keyed.provider_status
    and mapped_stages.provider_stage is not distinct from keyed.provider_stage
