-- Each returned row is a stage or status of a provider that stages.csv does not map yet; a
-- warning, because its leads are kept and shown under the stage `unmapped`.
{{ config(severity="warn") }}
select provider, provider_stage, provider_status, count(*) as leads
from {{ source("normalized", "leads") }}
where stage = 'unmapped'
group by provider, provider_stage, provider_status
