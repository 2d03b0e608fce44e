-- What every loading session needs. Times are UTC; an infinite time is no time.
create or replace temp macro usable_time(value) as
    case
        when isfinite(try_cast(value as timestamptz)) then try_cast(value as timestamptz)
    end
