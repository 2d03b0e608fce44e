-- What mappings may call. Times are UTC; an infinite time is no time, nor is one of the years that
-- stand for an empty date (1, 1900, 1970), nor one in a year of five digits, which most clients
-- cannot read.
create or replace temp macro usable_time(value) as
    case
        when try_cast(value as timestamptz) between '1990-01-01' and '9999-12-31'
        then try_cast(value as timestamptz)
    end
;
-- The last moment at which what was served at `moment` can have been served: a `Date` has whole
-- seconds, our own clock has not.
create or replace temp macro served_by(moment) as
    case
        when moment = date_trunc('second', moment) then moment + interval 1 second
        else moment
    end;
-- The time where it does not lie after `moment`, by more than clocks of one provider may differ.
create or replace temp macro until(value, moment) as
    case when value <= moment + interval 1 day then value end
