create schema if not exists meta;

create or replace table meta.publish (
    account varchar not null,
    provider varchar not null,
    published_at timestamptz not null,
    run_id varchar not null,
    complete_from timestamptz,
    complete_through timestamptz,
    leads bigint not null,
    lead_pipeline_version varchar not null,
    duckdb_storage_version varchar,
    note varchar,
    masking_key_id varchar,
    watched_from timestamptz,
    poll_seconds bigint,
    time_zone varchar not null,
    working_hours varchar,
    holidays varchar
);
comment on table meta.publish is
    'One row per account: what this file holds of it, how far it is complete, and when it was published.';
comment on column meta.publish.account is 'Set of credentials that the leads were read with.';
comment on column meta.publish.provider is 'Provider of the account, by its slug.';
comment on column meta.publish.published_at is 'When this file replaced the one before it, UTC.';
comment on column meta.publish.run_id is 'Dagster run that published this file.';
comment on column meta.publish.complete_from is
    'Start of the time whose updated leads are all here, UTC; null: since ever.';
comment on column meta.publish.complete_through is
    'End of the time whose updated leads are all here, UTC: of each its last state, not each one between two polls; null: nothing is complete yet.';
comment on column meta.publish.leads is 'Leads of the account in normalized.leads.';
comment on column meta.publish.lead_pipeline_version is 'Version of lead-pipeline that wrote the file.';
comment on column meta.publish.note is
    'What to know of the completeness, such as leads beyond a horizon that were not read; null: nothing.';
comment on column meta.publish.watched_from is
    'Since when the account is polled without a gap, UTC; null: it is not. The past before is known as far as the first poll told, else it is unknown.';
comment on column meta.publish.poll_seconds is
    'Usual time between two polls since watched_from, in seconds: what changed more often was seen once; null: there were fewer than two.';
comment on column meta.publish.time_zone is
    'Time zone, by its IANA name, whose days, weeks and months the marts count.';
comment on column meta.publish.working_hours is
    'When people work, on the clocks of that zone; null: none are set, so columns of business seconds are null.';
comment on column meta.publish.holidays is
    'Country, or country and subdivision, whose public holidays are no working days; null: none are taken away.';
comment on column meta.publish.masking_key_id is
    'Null: personal data is as served. Else it is masked (see meta.masking), with the key of this id.';
comment on column meta.publish.duckdb_storage_version is
    'DuckDB storage format of the file; every client from that version on can read it.';

create or replace table meta.deprecations (
    schema_name varchar not null,
    table_name varchar not null,
    column_name varchar,
    replacement varchar not null,
    deprecated_in varchar not null,
    removed_in varchar not null,
    note varchar
);
comment on table meta.deprecations is
    'One row per table or column of this file that a later version will no longer have.';
comment on column meta.deprecations.schema_name is 'Schema of what goes.';
comment on column meta.deprecations.table_name is 'Table or view that goes, or of which a column does.';
comment on column meta.deprecations.column_name is 'Column that goes; null: the whole table.';
comment on column meta.deprecations.replacement is 'What to read instead.';
comment on column meta.deprecations.deprecated_in is 'First version of lead-pipeline that announces it.';
comment on column meta.deprecations.removed_in is 'First version of lead-pipeline that no longer has it.';
comment on column meta.deprecations.note is 'What else to know of the change; null: nothing.';

create or replace table meta.tables (
    schema_name varchar not null,
    table_name varchar not null,
    row_count bigint not null,
    description varchar
);
comment on table meta.tables is 'One row per table that this file offers.';
comment on column meta.tables.schema_name is 'Schema: normalized (as loaded), marts (to report on), meta (about the file).';
comment on column meta.tables.table_name is 'Name of the table within its schema.';
comment on column meta.tables.row_count is 'Rows in the table.';
comment on column meta.tables.description is 'What one row is, and what the table is for.';
