-- What the batches and chunks of a load add to: leads of which a record or event was read, when
-- leads were seen, and pairs of status and stage that were met.
create temp table leads_with_records (lead_key varchar);
create temp table seen_leads (lead_key varchar, seen_at timestamptz);
create temp table stage_pairs (
    account varchar,
    provider varchar,
    provider_status varchar,
    provider_stage varchar
)
