-- Once, for whoever writes to the lake: small files, and no rows in the catalog.
call lake.set_option('parquet_compression', 'zstd');
call lake.set_option('data_inlining_row_limit', 0);
