insert into internal.working_time
select unnest($starts), unnest($ends), unnest($seconds_before)
