-- What mappings may call. Times are UTC; an infinite time is no time, nor is one of the years that
-- stand for an empty date (1, 1900, 1970), nor one in a year of five digits, which most clients
-- cannot read.
create or replace temp macro usable_time(value) as
    case
        when try_cast(value as timestamptz) between '1990-01-01' and '9999-12-31'
        then try_cast(value as timestamptz)
    end
;
-- The score, where it is a number that readers can use.
create or replace temp macro usable_score(value) as case when isfinite(value) then value end;
-- The normalized form of an address of which nothing can be written in another way but its case, as nearly
-- all are; null of any other, which Python reads (`contacts/emails.py`, by the same two rules).
create or replace temp macro plain_email(text) as
    case
        when
            strlen(text) <= 64
            and regexp_full_match(
                text, '[A-Za-z0-9._%+-]+@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?[.])+[A-Za-z]{2,}'
            )
            and not regexp_matches(text, '[@.][Xx][Nn]--')
        then lower(text)
    end
;
-- The last moment at which what was served at `moment` can have been served: a `Date` has whole
-- seconds, our own clock has not. In microseconds, here and below: with time zones and intervals DuckDB
-- asks a calendar, which takes ten times as long.
create or replace temp macro served_by(moment) as
    case
        when epoch_us(moment) % 1000000 = 0 then moment + interval 1 second
        else moment
    end;
-- Whether a change was at its `updated_at`: after the state before was served, and not in a stretch of
-- which a poll has proven that nothing changed; then neither of the two is believed. An audit log
-- (`is_log`) brings changes and no leads, so that it contradicts nothing.
create or replace temp macro is_time_believed(updated_at, shown_before, proven_until, is_log) as
    updated_at > shown_before and coalesce(is_log or updated_at > proven_until, true);
-- The time where it does not lie after `moment`, by more than clocks of one provider may differ.
create or replace temp macro until(value, moment) as
    case when epoch_us(value) <= epoch_us(moment) + 86400000000 then value end
