-- What the functions of `create_masked.sql` are where nothing is masked.
create temporary macro masked(value) as value;
create temporary macro masked_name(value) as value;
create temporary macro masked_email(value) as value;
