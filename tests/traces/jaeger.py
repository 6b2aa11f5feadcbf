"""A real Jaeger: takes spans by OTLP, and says over its API what it has of a trace."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from embedded.ports import find_free
from kernel.process.probe import answers
from tests.containers.tools import find
from tests.pipeline import eventually

PROGRAM: Final = find("jaeger")
WHY_NOT: Final = "There is no Jaeger: `python -m tests.containers.tools jaeger` builds it of its Go module."


@dataclass(frozen=True)
class Jaeger:
    """One that runs."""

    #: Where spans are posted to.
    endpoint: str
    #: Its pages and its API.
    url: str

    def spans(self, trace: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Of a trace, by service and name: each span as the API has it, with `parent` (None: none) beside."""
        try:
            with urlopen(f"{self.url}/api/traces/{trace}", timeout=60) as answer:
                (found,) = json.load(answer)["data"]
        except HTTPError as error:  # of a trace that it does not know
            error.close()
            return {}
        services = {name: about["serviceName"] for name, about in found["processes"].items()}
        spans = {}
        for span in found["spans"]:
            parents = [r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"]
            spans[services[span["processID"]], span["operationName"]] = {
                **span,
                "parent": parents[0] if parents else None,
            }
        return spans


@contextlib.contextmanager
def running_jaeger(log: Path, *options: str) -> Iterator[Jaeger]:
    """One in memory, on ports of its own."""
    assert PROGRAM is not None, WHY_NOT
    taken: set[int] = set()
    while len(taken) < 7:
        taken.add(find_free(avoid=taken))
    otlp, query, *others = sorted(taken)
    servers = (
        *("collector.otlp.http", "query.http-server", "collector.otlp.grpc", "query.grpc-server"),
        *("collector.http-server", "collector.grpc-server", "admin.http"),
    )
    listening = [
        f"--{server}.host-port=127.0.0.1:{port}"
        for server, port in zip(servers, (otlp, query, *others), strict=True)
    ]
    with log.open("wb") as said:
        process = subprocess.Popen(
            (PROGRAM, *listening, *options), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        url = f"http://127.0.0.1:{query}"

        def ready() -> bool:
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            return answers(f"{url}/api/services", timeout=20)

        eventually("Jaeger answers", ready)
        yield Jaeger(f"http://127.0.0.1:{otlp}/v1/traces", url)
    finally:
        process.terminate()
        process.wait()
