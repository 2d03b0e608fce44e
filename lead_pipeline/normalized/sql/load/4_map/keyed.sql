-- `mapped` rows with what all providers share: keys, normalized contact fields, and the identity of
-- the observed state. Two records are the same state when all columns but
-- the details agree; where details only come with single records (a stream of kind `details`), they do not
-- make a state of their own.
create temp table keyed as
with named as (
    select
        mapped.account || ':' || record_id as lead_key,
        record_id as lead_id,
        mapped.* exclude (
            record_id,
            score,
            created_at,
            last_interaction_at,
            qualification_completed_at
        ),
        case when isfinite(score) then score end as score,
        mapped.provider in (
            select provider from streams where kind = 'details'
        ) as has_details_stream,
        -- The order of keys, and how a number or a letter is written, make no other state.
        compared.value as compared_fields,
        usable_time(last_interaction_at) as last_interaction_at,
        usable_time(created_at) as created_at,
        usable_time(qualification_completed_at) as qualification_completed_at,
        emails.email_normalized
    from mapped
    left join emails on emails.email = mapped.email
    left join custom_field_values as compared on compared.content = mapped.custom_fields::varchar
)
select
    md5(
        to_json(
            row(
                lead_key, updated_at, created_at, tenant_id, full_name, email, phone, company,
                source, source_type, provider_status, provider_stage, provider_stage_id,
                provider_stage_name, score, is_qualified, owner_id, owner_name, owner_role,
                intent, industry, company_size, conversation_id, interaction_count,
                last_interaction_at, compared_fields,
                -- Where every record has the details, they are part of the state.
                case when not has_details_stream then timeline end
            )
        )::varchar
        || case
            when
                not has_details_stream
                and coalesce(
                    budget_range, pain_points, ai_reasoning, qualification_completed_at::varchar
                )
                is not null
            then
                to_json(
                    row(budget_range, pain_points, ai_reasoning, qualification_completed_at)
                )::varchar
            else ''
        end
    )::uuid as version_id,
    * exclude (has_details_stream, compared_fields)
from named
