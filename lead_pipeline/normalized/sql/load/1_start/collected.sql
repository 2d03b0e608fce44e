-- What the batches and chunks of a load add to: leads of which a record or event was read, when
-- leads were seen, phone numbers that were read, records of leads that were known before, and pairs of
-- status and stage that were found.
create temp table leads_with_records (lead_key varchar);
create temp table seen_leads (lead_key varchar, seen_at timestamptz, served_at timestamptz);
create temp table phones (
    phone varchar,
    phone_e164 varchar,
    phone_extension varchar,
    phone_type varchar
);
create temp table observations_of_known as
select *
from normalized.lead_observations
where false;
create temp table stage_pairs (
    account varchar,
    provider varchar,
    provider_status varchar,
    provider_stage varchar
)
