"""Programs of other projects that tests use: found on this machine, or built of Go's module proxy.

`python -m tests.containers.tools helm actionlint` builds what is missing; tests skip what is not there.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from tests.containers.daemon import NoDaemonError, cache_dir, run


class Tool(NamedTuple):
    """A program of a Go module, at the version that was tried."""

    module: str
    version: str
    package: str
    flags: str = ""


TOOLS: Final = {
    "docker-compose": Tool(
        "github.com/docker/compose/v2",
        "v2.40.3",
        "./cmd",
        "-X github.com/docker/compose/v2/internal.Version=v2.40.3",
    ),
    "helm": Tool("helm.sh/helm/v3", "v3.22.0", "./cmd/helm"),
    "jaeger": Tool("github.com/jaegertracing/jaeger", "v1.76.0", "./cmd/all-in-one"),
    "actionlint": Tool("github.com/rhysd/actionlint", "v1.7.12", "./cmd/actionlint"),
}


def find(name: str) -> str | None:
    """Where it is; None: nowhere."""
    own = _place(name)
    return str(own) if own.exists() else shutil.which(name)


def build(name: str) -> str:
    """Where it is; it is built first where it is nowhere. Raises NoDaemonError where that cannot be."""
    if (found := find(name)) is not None:
        return found
    if shutil.which("go") is None:
        raise NoDaemonError(f"{name} is missing, and there is no Go to build it: install it.")
    tool, place = TOOLS[name], _place(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    got = json.loads(
        run(("go", "mod", "download", "-json", f"{tool.module}@{tool.version}"), directory=Path("/"))
    )
    with tempfile.TemporaryDirectory(prefix="touchline-go-") as directory:
        # A copy: Go keeps its modules read-only, and `go install` refuses one that leaves versions out.
        source, built = Path(directory) / "source", Path(directory) / "built"
        shutil.copytree(got["Dir"], source, copy_function=shutil.copyfile)
        run(
            (
                *("go", "build", "-trimpath", "-buildvcs=false", f"-ldflags=-s -w {tool.flags}"),
                *("-o", str(built), tool.package),
            ),
            directory=source,
            environment={**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"},
            timeout=1500,
        )
        # It gets its name when it is whole.
        unfinished = place.with_name(f".{place.name}")
        shutil.copy2(built, unfinished)
        unfinished.rename(place)
    return str(place)


def _place(name: str) -> Path:
    return cache_dir() / "bin" / f"{name}-{TOOLS[name].version}"


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(build(wanted))  # noqa: T201
