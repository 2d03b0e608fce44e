"""The sandbox against the providers' sheets; every test asks over real HTTP or the bare core."""
