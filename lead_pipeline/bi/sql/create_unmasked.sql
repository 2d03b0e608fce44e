-- What `masked(value)` is where nothing is masked.
create temporary macro masked(value) as value
