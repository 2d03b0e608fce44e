"""How addresses and numbers are written, and by what two ways of writing the same one agree.

Belongs here: reading one address or number. Does not belong here: which of a record's fields hold
one (the provider's `contract.csv`), tables of them (`normalized/`).
"""
