-- What days and working time are in this build.
create table meta.calendar (
    time_zone varchar not null,
    working_hours varchar,
    holidays varchar
);
comment on table meta.calendar is
    'One row: what days and working time are in this file. meta.publish repeats it with the rest.';
comment on column meta.calendar.time_zone is
    'Time zone, by its IANA name, whose days, weeks and months the marts count. Moments (columns that end in _at) are moments in every zone.';
comment on column meta.calendar.working_hours is
    'When people work, on the clocks of that zone; null: none are set, so columns of business seconds are null.';
comment on column meta.calendar.holidays is
    'Country, or country and subdivision, whose public holidays are no working days, by the Python library holidays; null: none are taken away.';

-- Working intervals in order, each with the seconds worked before it; for the models. The first row can
-- be empty: the calendar begins there. The last one has no end: from there on nothing is known. No rows:
-- nobody has said when people work.
create table internal.working_time (
    starts_at timestamptz not null,
    ends_at timestamptz,
    seconds_before bigint
);
