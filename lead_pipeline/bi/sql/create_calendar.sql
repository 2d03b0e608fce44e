-- Which days and working hours the build goes by; for the models and for meta.publish.
create table internal.calendar (
    time_zone varchar not null,
    working_hours varchar,
    holidays varchar
);
