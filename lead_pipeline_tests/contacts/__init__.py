"""How addresses and numbers are written."""
