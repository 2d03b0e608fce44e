-- Vorel records to lead columns. Reads `landed`, one row per record: the list and the stale
-- cohort serve the same form.
with parsed as (
    select
        * exclude (payload),
        json_transform(
            payload,
            '{
                "conversation_id": "VARCHAR", "name": "VARCHAR", "email": "VARCHAR",
                "phone": "VARCHAR", "intent": "VARCHAR", "attributes": "JSON",
                "timeline": "VARCHAR", "qualification_score": "DOUBLE", "status": "VARCHAR",
                "source": "VARCHAR"
            }'
        ) as lead
    from landed
)
select
    * exclude (lead),
    null::varchar as tenant_id,
    lead.name as full_name,
    lead.email as email,
    lead.phone as phone,
    null::varchar as company,
    lead.source as source,
    null::varchar as source_type,
    null::varchar as provider_status,
    lead.status as provider_stage,
    null::varchar as provider_stage_id,
    null::varchar as provider_stage_name,
    lead.qualification_score as score,
    null::boolean as is_qualified,
    null::varchar as owner_id,
    null::varchar as owner_name,
    null::varchar as owner_role,
    lead.intent as intent,
    lead.timeline as timeline,
    null::varchar as budget_range,
    null::varchar as pain_points,
    null::varchar as ai_reasoning,
    null::varchar as industry,
    null::varchar as company_size,
    lead.conversation_id as conversation_id,
    null::bigint as interaction_count,
    null::varchar as last_interaction_at,
    null::varchar as qualification_completed_at,
    lead.attributes as custom_fields,
    true as has_details
from parsed
