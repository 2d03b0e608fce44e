"""DuckDB's extensions, from wheels: nothing is downloaded while the pipeline runs.

    pip install "lead-pipeline[team]" ──▶ duckdb_extension_<name>/extensions/v<DuckDB>/ ──load──▶ connection

An extension fits one version of DuckDB. Belongs here: finding and loading them, and the secrets of object
stores that they use. Does not belong here: what they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from lead_pipeline.addresses import secure_url
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.storage.duckdb_files import literal
from lead_pipeline.storage.team.extra import require_team


def load_extensions(connection: duckdb.DuckDBPyConnection, variable: str, *names: str) -> None:
    """Load the extensions of these names, such as `ducklake`, which the setting `variable` needs.

    Raises `ConfigurationError` where one is not installed, or for another version of DuckDB.
    """
    for name in names:
        path = _path_of(variable, name)
        try:
            connection.execute(f"load {literal(str(path))}")
        except duckdb.Error as error:
            raise ConfigurationError(
                f"DuckDB's extension {name}, which {variable} needs, cannot be loaded "
                f"({type(error).__name__}). It was made for another platform, or is damaged: pip "
                f"install --force-reinstall duckdb-extension-{name.replace('_', '-')}"
            ) from None


def _path_of(variable: str, name: str) -> Path:
    module = f"duckdb_extension_{name}"
    require_team(variable, module)
    found = find_spec(module)
    for folder in (found.submodule_search_locations if found else None) or ():
        path = Path(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
        if path.exists():
            return path
    package = module.replace("_", "-")
    try:
        installed = version(package)
    except PackageNotFoundError:
        installed = "unknown"
    raise ConfigurationError(
        f"{variable} needs DuckDB's extension {name} of DuckDB's own version: installed are DuckDB "
        f'{duckdb.__version__} and {package} {installed}. Install both anew: pip install "duckdb=={installed}" '
        f'"{package}=={installed}"'
    )


def use_s3_secret(
    connection: duckdb.DuckDBPyConnection, variable: str, variables: Mapping[str, str]
) -> None:
    """Let the connection read and write S3 with the keys of the `variables` AWS_*.

    Raises `ConfigurationError` where keys are missing, or the endpoint may be listened to.
    """
    keys = [variables.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    if None in keys:
        raise ConfigurationError(
            f"{variable} names S3, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set. "
            "DuckDB knows no roles of machines: set keys, also temporary ones with AWS_SESSION_TOKEN."
        )
    options = {
        "key_id": keys[0],
        "secret": keys[1],
        "session_token": variables.get("AWS_SESSION_TOKEN"),
        "region": variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION"),
        **_endpoint_options(variables),
    }
    given = ", ".join(f"{name} {literal(value)}" for name, value in options.items() if value)
    connection.execute(f"create or replace secret s3_of_team (type s3, {given})")


def _endpoint_options(variables: Mapping[str, str]) -> dict[str, str]:
    """Another server than Amazon's, named by bucket in the path as these servers want it."""
    url = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    if url is None:
        return {}
    try:
        parts = urlsplit(secure_url(url))
    except ValueError as error:
        raise ConfigurationError(f"AWS_ENDPOINT_URL: {error}") from None
    is_secure = "true" if parts.scheme == "https" else "false"
    return {"endpoint": parts.netloc, "url_style": "path", "use_ssl": is_secure}
