"""What things take beside others that do the same, on one machine: `make bench`.

Belongs here: measuring. Does not belong here: tests; nothing fails for being slow. README.md has the
figures and says how to read them.
"""
