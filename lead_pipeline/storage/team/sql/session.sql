-- A connection that only holds a lock is idle for hours. The server notices within 45 seconds that
-- the machine behind it is gone, and takes no idleness for a fault. Settings that this server does
-- not know are left out.
select set_config(settings.name, wanted.value, false)
from (
  values
    ('tcp_keepalives_idle', '15'),
    ('tcp_keepalives_interval', '10'),
    ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '45000'),
    ('idle_session_timeout', '0'),
    ('statement_timeout', '10000')
) as wanted (name, value)
join pg_settings as settings on settings.name = wanted.name
