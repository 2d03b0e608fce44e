-- The keys of `mapped` rows, the identity of the observed state, and what else decides over rows. Two
-- records are the same state when all columns but the details agree; where details only come with
-- single records (a stream of kind `details`), they do not make a state of their own. Other columns
-- stay in the view `mapped`: taking JSON apart again costs less than rows that wide.
create temp table keyed as
with named as (
    select
        mapped.account || ':' || record_id as lead_key,
        mapped.* exclude (score, created_at, last_interaction_at, qualification_completed_at),
        usable_score(score) as score,
        mapped.provider in (
            select provider from streams where kind = 'details'
        ) as has_details_stream,
        -- The order of keys, and how a number or a letter is written, make no other state.
        compared.value as compared_fields,
        usable_time(last_interaction_at) as last_interaction_at,
        usable_time(created_at) as created_at,
        usable_time(qualification_completed_at) as qualification_completed_at
    from mapped
    left join custom_field_values as compared on compared.content = mapped.custom_fields::varchar
)
select
    record_row,
    lead_key,
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
    provider,
    account,
    stream,
    crawl_id,
    served_at,
    fetched_at,
    updated_at,
    created_at,
    last_interaction_at,
    qualification_completed_at,
    provider_status,
    provider_stage,
    provider_stage_id,
    provider_stage_name,
    has_details,
    email,
    phone
from named
