-- Expert AI Labs records to lead columns. Reads `landed`, one row per record: list records and
-- single records (`lead_details`), of which only the latter have the AI fields.
with parsed as (
    select
        * exclude (payload),
        json_transform(
            payload,
            '{
                "organization_id": "VARCHAR", "name": "VARCHAR", "company": "VARCHAR",
                "email": "VARCHAR", "source": "VARCHAR", "lead_score": "DOUBLE",
                "pipeline_stage": "VARCHAR", "industry": "VARCHAR", "company_size": "VARCHAR",
                "pain_points": "VARCHAR", "timeline": "VARCHAR", "budget_range": "VARCHAR",
                "ai_reasoning": "VARCHAR", "qualification_completed_at": "VARCHAR"
            }'
        ) as lead
    from landed
)
select
    * exclude (lead),
    lead.organization_id as tenant_id,
    lead.name as full_name,
    lead.email as email,
    null::varchar as phone,
    lead.company as company,
    lead.source as source,
    null::varchar as source_type,
    null::varchar as provider_status,
    lead.pipeline_stage as provider_stage,
    null::varchar as provider_stage_id,
    null::varchar as provider_stage_name,
    lead.lead_score as score,
    null::boolean as is_qualified,
    null::varchar as owner_id,
    null::varchar as owner_name,
    null::varchar as owner_role,
    null::varchar as intent,
    lead.timeline as timeline,
    lead.budget_range as budget_range,
    lead.pain_points as pain_points,
    lead.ai_reasoning as ai_reasoning,
    lead.industry as industry,
    lead.company_size as company_size,
    null::varchar as conversation_id,
    null::bigint as interaction_count,
    null::varchar as last_interaction_at,
    lead.qualification_completed_at as qualification_completed_at,
    null::json as custom_fields,
    stream = 'lead_details' as has_details
from parsed
