"""What several machines share: an object store, and PostgreSQL for the locks between them.

Its packages (obstore, psycopg2) come with the extra `team`; nothing here is imported unless a
variable of a team is set.
"""
