"""Moving landing between a folder and a team's store."""
