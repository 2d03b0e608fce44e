create schema if not exists meta;

create or replace table meta.build (
    run_id varchar not null,
    tested_at timestamptz not null,
    tests_passed bigint not null
);
comment on table meta.build is 'One row: the build of the marts that passed all of its tests.';
comment on column meta.build.run_id is 'Dagster run that built and tested the marts.';
comment on column meta.build.tested_at is 'When the last test had passed, UTC.';
comment on column meta.build.tests_passed is 'Number of tests that passed; warnings are not counted.';
