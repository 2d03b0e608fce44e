"""Settings of the Superset of `superset_server.py`, whose cache forgets nothing for a day."""

import os
import secrets

SECRET_KEY = secrets.token_hex(32)
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"
DATA_CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 24 * 3600}
