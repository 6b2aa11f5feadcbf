"""The OpenAPI document says what the gateway does: schemathesis tries it, with valid and broken requests."""

import base64
import hashlib
import json
import re
from typing import Any
from urllib.request import urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from gateway.http import reference
from tests.pipeline import Pipeline

load_all_checks()
#: What the document promises of every answer, whatever was asked.
PROMISED = [
    CHECKS.get_one(name)
    for name in (
        *("status_code_conformance", "content_type_conformance"),
        *("response_headers_conformance", "response_schema_conformance", "allow_header_conformance"),
    )
]
NO_SERVERS_ERROR = CHECKS.get_one("not_a_server_error")


#: What asks Elasticsearch is left out: there is none here, and 503 would be a server's error.
ASKED = [
    ("POST", "/v1/streams/{kind}/{channel}/events"),
    ("GET", "/v1/channels/{channel}"),
    ("PUT", "/v1/channels/{channel}"),
    ("POST", "/v1/channels/{channel}/reshard"),
    ("GET", "/schemas/ids/{id}"),
    ("GET", "/schemas/ids/{id}/versions"),
    ("GET", "/subjects/{subject}/versions"),
    ("GET", "/subjects/{subject}/versions/{version}"),
    ("POST", "/subjects/{subject}"),
    ("POST", "/subjects/{subject}/versions"),
]


@pytest.fixture(scope="package")
def described(live: Pipeline) -> Any:
    return schemathesis.openapi.from_url(f"{live.gateway_url}/openapi.json")


@pytest.mark.parametrize(("method", "path"), ASKED)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_document_knows(
    described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    operation = described[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        # Who waits for the workers' word is told after two seconds, by 503, that a busy one is not so far.
        waits = (case.query or {}).get("wait") == "accepted"
        case.call_and_validate(checks=PROMISED if waits else [*PROMISED, NO_SERVERS_ERROR], timeout=60)

    try:
        ask()
    except Unsatisfiable:
        pytest.skip("there is no request of this mode")


def test_the_document_describes_every_operation_and_every_code(live: Pipeline) -> None:
    with urlopen(f"{live.gateway_url}/openapi.json") as response:
        document = json.load(response)
    assert document["openapi"].startswith("3.1")
    assert {
        "/v1/streams/{kind}/{channel}/events",
        "/v1/streams/{kind}/{channel}",
        "/v1/search",
        "/v1/channels/{channel}",
        "/v1/channels/{channel}/reshard",
        "/schemas/ids/{id}",
    } <= document["paths"].keys()
    answers = document["paths"]["/v1/streams/{kind}/{channel}/events"]["post"]["responses"]
    assert {"202", "400", "401", "403", "413", "415", "422", "429", "503"} <= answers.keys()
    assert {status for status in answers if "Retry-After" in answers[status].get("headers", {})} == {
        "429",
        "503",
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"].endswith("."), (path, method)
            assert any(status.startswith("2") for status in operation["responses"]), (path, method)


def test_the_page_shows_every_operation_and_can_load_nothing(live: Pipeline) -> None:
    with urlopen(f"{live.gateway_url}/openapi.json") as response:
        document = json.load(response)
    with urlopen(f"{live.gateway_url}/docs") as response:
        page, headers = response.read().decode(), response.headers
    assert headers.get_content_type() == "text/html"
    shown = re.findall(r"<b>([A-Z]+)</b> <code>([^<]+)</code>", page)
    assert sorted(shown) == sorted(
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    )
    assert "Idempotency-Key" in page
    # Its one style is allowed by its hash, and nothing else is: no script, no image, no other address.
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not re.search(r"<script|<link|<img|https?://", page)


def test_what_the_document_says_is_text_and_not_markup() -> None:
    said = "<hr>"
    parameter = {
        "name": said,
        "in": "query",
        "required": True,
        "description": said,
        "schema": {"enum": [said]},
    }
    reply = {"description": said, "content": {"text/plain": {"schema": {"pattern": said}}}}
    operation = {"operationId": said, "summary": said, "tags": [said], "parameters": [parameter]}
    document = {
        "info": dict.fromkeys(("title", "version", "description"), said),
        "paths": {f"/{said}": {"get": {**operation, "responses": {"200": reply}}}},
    }
    page = "".join(reference.page(document))
    assert "<hr" not in page
    assert page.count("&lt;hr&gt;") >= 10
