-- Deals to lead columns. Reads `landed` (payload is valid JSON), one row per record.
with parsed as (
    select
        * exclude (payload),
        json_transform(
            payload,
            '{
                "portal": "VARCHAR",
                "properties": {
                    "name": "VARCHAR", "email": "VARCHAR", "phone": "VARCHAR",
                    "company": "VARCHAR", "source": "VARCHAR", "status": "VARCHAR",
                    "stage": "VARCHAR", "stage_label": "VARCHAR", "probability": "DOUBLE",
                    "last_contact": "BIGINT", "budget": "VARCHAR"
                },
                "owner": {"id": "VARCHAR", "name": "VARCHAR"}
            }'
        ) as deal
    from landed
)
select
    * exclude (deal),
    deal.portal as tenant_id,
    deal.properties.name as full_name,
    deal.properties.email as email,
    deal.properties.phone as phone,
    deal.properties.company as company,
    deal.properties.source as source,
    null::varchar as source_type,
    deal.properties.status as provider_status,
    deal.properties.stage as provider_stage,
    null::varchar as provider_stage_id,
    deal.properties.stage_label as provider_stage_name,
    deal.properties.probability as score,
    null::boolean as is_qualified,
    deal.owner.id as owner_id,
    deal.owner.name as owner_name,
    null::varchar as owner_role,
    null::varchar as intent,
    null::varchar as timeline,
    deal.properties.budget as budget_range,
    null::varchar as pain_points,
    null::varchar as ai_reasoning,
    null::varchar as industry,
    null::varchar as company_size,
    null::varchar as conversation_id,
    null::bigint as interaction_count,
    make_timestamptz(1000 * deal.properties.last_contact)::varchar as last_interaction_at,
    null::varchar as qualification_completed_at,
    null::json as custom_fields,
    true as has_details
from parsed
