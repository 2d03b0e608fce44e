create schema if not exists meta;

create or replace table meta.masking (
    table_name varchar not null,
    column_name varchar not null,
    treatment varchar not null,
    masking_key_id varchar not null
);
comment on table meta.masking is
    'One row per column of schema normalized whose personal data was masked while it was copied; no rows: everything is as served. Columns of the same name in marts are masked alike.';
comment on column meta.masking.table_name is 'Table in schema normalized.';
comment on column meta.masking.column_name is 'The masked column.';
comment on column meta.masking.treatment is
    'hash: equal values have equal keyed hashes, in all tables and accounts; hash_name: the same, whatever the case and the spaces; hash_email: the same, in the form of an address; remove: null.';
comment on column meta.masking.masking_key_id is
    'Tells one key from another: hashes of files with the same id can be joined.';
