-- What mappings may call. Times are UTC; an infinite time is no time, nor is one in a year of five
-- digits, which most clients cannot read.
create or replace temp macro usable_time(value) as
    case
        when try_cast(value as timestamptz) between '0001-01-01' and '9999-12-31'
        then try_cast(value as timestamptz)
    end
