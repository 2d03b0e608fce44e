create schema if not exists meta;

create or replace table meta.build (
    run_id varchar not null,
    tested_at timestamptz not null,
    tests_passed bigint not null,
    masking_rules_id varchar
);
comment on table meta.build is 'One row: the build of the marts that passed all of its tests.';
comment on column meta.build.run_id is 'Dagster run that built and tested the marts.';
comment on column meta.build.tested_at is 'When the last test had passed, UTC.';
comment on column meta.build.tests_passed is 'Number of tests that passed; warnings are not counted.';
comment on column meta.build.masking_rules_id is
    'Null: personal data is as served. Else it is masked by the rules of this id (what is done to which column, whatever the key); readers never get a file again that was masked by other rules.';
