"""The deployment kit: what its files say, and the processes that they start."""
