"""Moving landing between a folder and a team's store: copied, verified, then switched.

    <home>/landing, erasures ──to_store.py──▶ s3://bucket/prefix   the home becomes a copy of it
    s3://bucket/prefix ──to_folder.py──▶ FOLDER/landing, erasures  the store is closed

Everything else is derived, and made again. Belongs here: what is copied, how it is known to be whole,
the order of the switch. Does not belong here: what the files mean.
"""
