-- `mapped` rows with what all providers share: keys, normalized contact fields, and the identity of
-- the observed state. Two records are the same state when all columns but
-- the details agree; details only come with some records and do not make a state of their own.
create or replace temp table keyed as
with named as (
    select
        mapped.account || ':' || record_id as lead_key,
        record_id as lead_id,
        mapped.* exclude (
            record_id, raw_payload, score, last_interaction_at, qualification_completed_at
        ),
        raw_payload as payload,
        case when isfinite(score) then score end as score,
        usable_time(last_interaction_at) as last_interaction_at,
        usable_time(qualification_completed_at) as qualification_completed_at,
        -- trim() takes blanks only, not tabs and line ends.
        nullif(lower(regexp_replace(email, '^[\s\pZ]+|[\s\pZ]+$', '', 'g')), '') as email_normalized
    from mapped
)
select
    md5(
        to_json(
            row(
                lead_key, updated_at, created_at, tenant_id, full_name, email, phone, company,
                source, source_type, provider_status, provider_stage, provider_stage_id,
                provider_stage_name, score, is_qualified, owner_id, owner_name, owner_role,
                intent, industry, company_size, conversation_id, interaction_count,
                last_interaction_at, custom_fields,
                -- Vorel serves the timeline with every record, so there it is part of the state.
                case when provider = 'vorel' then timeline end
            )
        )::varchar
    )::uuid as version_id,
    *
from named
