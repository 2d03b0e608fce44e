"""The team size, with real parts: an S3 server, PostgreSQL, processes that are killed."""
