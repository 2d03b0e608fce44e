select
    provider,
    account,
    source,
    owner_key,
    coalesce(min_response_seconds, known_seconds) as shortest,
    coalesce((min_response_seconds + response_seconds) / 2.0, known_seconds) as middle,
    coalesce(response_seconds, known_seconds) as longest,
    0 as entry,
    has_response as is_ended,
    false as is_possible
from {{ ref("int_lead_facts") }}
where is_watched
