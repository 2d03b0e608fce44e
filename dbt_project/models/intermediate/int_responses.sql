{% set known = seconds_between("created_at", "stage_known_until") %}
select
    provider,
    account,
    source,
    owner_key,
    coalesce(response_seconds_lower, {{ known }}) as shortest,
    coalesce((response_seconds_lower + response_seconds_upper) / 2.0, {{ known }}) as middle,
    coalesce(response_seconds_upper, {{ known }}) as longest,
    0 as entry,
    has_response as is_ended,
    false as is_possible
from {{ ref("lead_facts") }}
where is_watched
