"""Ratios of things run in pairs on one machine: `make bench`.

Belongs here: measuring. Does not belong here: tests; nothing fails for being slow.
"""
