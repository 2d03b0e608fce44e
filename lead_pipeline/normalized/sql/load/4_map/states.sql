-- What all providers share of each observed state, beside the columns of its mapping: keys, usable times,
-- normalized contact fields, and the canonical stage of its status and stage. A table, so that it is
-- this that DuckDB keeps in memory when `observed` joins the two, and not the rows of the mapping.
create temp table states as
select
    keyed.record_row,
    keyed.version_id,
    keyed.lead_key,
    keyed.created_at,
    keyed.last_interaction_at,
    keyed.qualification_completed_at,
    coalesce(plain_email(keyed.email), emails.email_normalized) as email_normalized,
    phones.phone_e164,
    phones.phone_extension,
    phones.phone_type,
    mapped_stages.stage
from keyed
left join emails on emails.email = keyed.email
left join phones on phones.phone = keyed.phone
join normalized.mapped_stages as mapped_stages
    on mapped_stages.account = keyed.account
    and mapped_stages.provider = keyed.provider
    and mapped_stages.provider_status is not distinct from keyed.provider_status
    and mapped_stages.provider_stage is not distinct from keyed.provider_stage
