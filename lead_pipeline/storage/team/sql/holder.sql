-- Who has an advisory lock: the note that its connection sends with every statement.
select coalesce(activity.query, '')
from pg_locks as locks
left join pg_stat_activity as activity on activity.pid = locks.pid
where locks.locktype = 'advisory'
  and locks.granted
  and locks.database = (select oid from pg_database where datname = current_database())
  -- A key of 64 bits is shown in two halves.
  and locks.classid = %(upper)s::bigint::oid
  and locks.objid = %(lower)s::bigint::oid
  and locks.objsubid = 1
