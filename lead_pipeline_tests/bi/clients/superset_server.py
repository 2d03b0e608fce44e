"""Serves a new Superset on loopback, and prints its address when it answers.

    SUPERSET_HOME=FOLDER SUPERSET_PASSWORD=WORD superset_server.py

Does what `superset db upgrade`, `superset init` and `superset fab create-admin` do, in one process
instead of three. Threads answer, as in Superset's own image.
"""

import os
from pathlib import Path

from flask_migrate import upgrade
from superset.app import create_app
from werkzeug.serving import make_server

os.environ["SUPERSET_CONFIG_PATH"] = str(Path(__file__).with_name("superset_config.py"))
app = create_app()
with app.app_context():
    # Cannot be imported before there is an application.
    from superset import appbuilder, db, security_manager

    upgrade()
    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()
    administrator = security_manager.find_role("Admin")
    name = ("admin", "Ada", "Admin", "admin@example.com")
    security_manager.add_user(*name, administrator, os.environ["SUPERSET_PASSWORD"])
    db.session.commit()
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
