-- The values that records show in the fields of which values are known, to be folded.
select distinct unnest(shown_values) as name
from record_shapes
