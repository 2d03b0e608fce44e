"""Whether requests and answers conform to what the three providers promise.

Here: the promises (`*.yaml`, one per provider) and functions that hold an exchange
of httpx against them. Not here: exchanges of the sandbox or the pipeline, which
their own tests make.

    response = client.get(...)
    assert_conforms("mega", response)
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from lead_pipeline_tests import fourth_provider

PROVIDERS = ("mega", "expert_ai_labs", "vorel")

_FOLDER = Path(__file__).parent


def assert_conforms(provider: str, response: httpx.Response) -> None:
    """Both the request and its answer are as the provider documents them."""
    assert_request_conforms(provider, response.request)
    assert_answer_conforms(provider, response)


def assert_request_conforms(provider: str, request: httpx.Request) -> None:
    """The request is documented: path, parameters and their bounds, authorization.

    A parameter that the provider does not know fails too: servers ignore those in
    silence, and the client continues without the filter that it asked for.
    """
    described = _Request(provider, request)
    _raise_readably(
        lambda: _contract(provider).validate_request(described), f"request {_name(request)}"
    )
    known = _query_parameters(provider, described)
    strangers = set(request.url.params) - known
    assert not strangers, f"request {_name(request)}: no parameter of {provider}: {strangers}"


def assert_answer_conforms(provider: str, response: httpx.Response) -> None:
    """The answer is documented for this path: status, headers, content type, body.

    Apart from the request, for requests that are wrong on purpose.
    """
    request, answer = _Request(provider, response.request), _Answer(response)
    _raise_readably(
        lambda: _contract(provider).validate_response(request, answer),
        f"answer {response.status_code} to {_name(response.request)}",
    )


class _Request:
    """A request of httpx as openapi-core wants it.

    The origin is the documented one, wherever the request went.
    """

    def __init__(self, provider: str, request: httpx.Request) -> None:
        self.host_url: str = _document(provider)["servers"][0]["url"]
        self.path = urlsplit(str(request.url)).path
        self.method = request.method.lower()
        self.body = request.content or None
        self.content_type = request.headers.get("content-type", "")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(request.url.params.multi_items()),
            header=Headers(request.headers.multi_items()),
            cookie=ImmutableMultiDict(),
        )


class _Answer:
    """An answer of httpx as openapi-core wants it."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code = response.status_code
        self.data = response.content
        self.content_type = response.headers.get("content-type", "")
        self.headers = Headers(response.headers.multi_items())


def largest_page(provider: str) -> int:
    """The largest `limit` that the provider documents for its list, in records."""
    [list_leads] = [
        operation
        for operations in _document(provider)["paths"].values()
        for operation in operations.values()
        if operation.get("operationId") == "readLeads"
    ]
    if "requestBody" in list_leads:
        schema = list_leads["requestBody"]["content"]["application/json"]["schema"]
        return int(schema["properties"]["limit"]["maximum"])
    limit = next(one for one in list_leads["parameters"] if one.get("name") == "limit")
    return int(limit["schema"]["maximum"])


@cache
def _document(provider: str) -> dict[str, Any]:
    path = _FOLDER / f"{provider}.yaml"
    # The provider of the tests brings its own.
    path = path if path.exists() else Path(fourth_provider.__file__).parent / "openapi.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return document


@cache
def _contract(provider: str) -> OpenAPI:
    return OpenAPI.from_dict(_document(provider))


def _query_parameters(provider: str, request: _Request) -> set[str]:
    """The documented query parameters of the request's path."""
    for path, operations in _document(provider)["paths"].items():
        # Exact paths come before those with an identifier at the end.
        prefix = path.partition("{")[0]
        exact = path == request.path
        if exact or ("{" in path and request.path.startswith(prefix)):
            parameters = operations[request.method].get("parameters", ())
            return {one["name"] for one in parameters if one["in"] == "query"}
    raise AssertionError(f"{provider} documents no path {request.path}")


def _raise_readably(validate: Any, what: str) -> None:
    """The reasons hang on the causes of openapi-core's errors; bring them to the front."""
    try:
        validate()
    except OpenAPIError as error:
        reasons: list[str] = []
        cause: BaseException | None = error
        while cause is not None:
            details = [str(one.message) for one in getattr(cause, "schema_errors", ())]
            # Without details the error names itself; with them it would print the whole page.
            reasons += details or [str(cause)]
            cause = cause.__cause__
        raise AssertionError(f"{what} does not conform: {'; '.join(reasons)}") from error


def _name(request: httpx.Request) -> str:
    return f"{request.method} {request.url.raw_path.decode()}"
