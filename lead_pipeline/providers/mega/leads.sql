-- MEGA records to lead columns. Reads `landed` (payload is valid JSON), one row per record.
with parsed as (
    select
        * exclude (payload),
        json_transform(
            payload,
            '{
                "customer_id": "VARCHAR", "contact_name": "VARCHAR", "contact_email": "VARCHAR",
                "contact_phone": "VARCHAR", "source_platform": "VARCHAR", "source_type": "VARCHAR",
                "status": "VARCHAR", "score": "DOUBLE", "qualified": "BOOLEAN",
                "current_stage": {"id": "VARCHAR", "slug": "VARCHAR", "name": "VARCHAR"},
                "owner": {"id": "VARCHAR", "name": "VARCHAR", "role_name": "VARCHAR"},
                "interaction_count": "BIGINT", "last_interaction_at": "VARCHAR",
                "custom_fields": "JSON"
            }'
        ) as lead
    from landed
)
select
    * exclude (lead),
    lead.customer_id as tenant_id,
    lead.contact_name as full_name,
    lead.contact_email as email,
    lead.contact_phone as phone,
    null::varchar as company,
    lead.source_platform as source,
    lead.source_type as source_type,
    lead.status as provider_status,
    lead.current_stage.slug as provider_stage,
    lead.current_stage.id as provider_stage_id,
    lead.current_stage.name as provider_stage_name,
    lead.score as score,
    lead.qualified as is_qualified,
    lead.owner.id as owner_id,
    lead.owner.name as owner_name,
    lead.owner.role_name as owner_role,
    null::varchar as intent,
    null::varchar as timeline,
    null::varchar as budget_range,
    null::varchar as pain_points,
    null::varchar as ai_reasoning,
    null::varchar as industry,
    null::varchar as company_size,
    null::varchar as conversation_id,
    lead.interaction_count as interaction_count,
    lead.last_interaction_at as last_interaction_at,
    null::varchar as qualification_completed_at,
    lead.custom_fields as custom_fields,
    true as has_details
from parsed
