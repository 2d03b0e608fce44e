"""The users' own dbt models: how they are merged with ours, built, told of and written."""
