"""What is downloaded, pinned to the byte: reads pins.txt; `python -m embedded.backends.pins` makes it."""

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PINS_FILE: Final = Path(__file__).with_name("pins.txt")

_HEADER: Final = (
    "# What `touchline up` downloads, to the byte: sha256, size, group:artifact:version:packaging.\n"
    "# Made by `python -m embedded.backends.pins`; a download that differs from its line is refused.\n"
)


@dataclass(frozen=True)
class Pin:
    """One file of a Maven repository, and what it must be."""

    sha256: str
    size: int
    group: str
    artifact: str
    version: str
    packaging: str

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.{self.packaging}"


@dataclass(frozen=True)
class Server:
    """A server and the files that it is made of."""

    name: str
    version: str
    pins: tuple[Pin, ...]

    @property
    def label(self) -> str:
        return f"{self.name.capitalize()} {self.version}"

    @property
    def size(self) -> int:
        return sum(pin.size for pin in self.pins)


def read(text: str) -> dict[str, Server]:
    """Parse the text of pins.txt: `[server version]` headings, then a line a file."""
    servers: dict[str, Server] = {}
    heading: tuple[str, str] | None = None
    pins: list[Pin] = []
    for line in [*text.splitlines(), "[end of-file]"]:
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            if heading is not None:
                servers[heading[0]] = Server(*heading, tuple(pins))
            name, version = line.strip("[]").split()
            heading, pins = (name, version), []
        else:
            sha256, size, coordinate = line.split()
            pins.append(Pin(sha256, int(size), *coordinate.split(":")))
    return servers


def load() -> dict[str, Server]:
    """The servers that this version of Touchline runs."""
    return read(PINS_FILE.read_text())


def resolve(kafka: str, elasticsearch: str) -> str:
    """Resolve the two servers' files at these versions, download them, and give the text of pins.txt."""
    # Imported here: reading the pins, which every start does, needs no resolver.
    from jgo.maven import POM, MavenContext, Model  # noqa: PLC0415

    context = MavenContext(timeout=60)
    core = context.project("org.apache.kafka", "kafka_2.13").at_version(kafka)
    dependencies, _ = Model(POM(core.artifact(packaging="pom").resolve()), context).dependencies()
    jars = [core.artifact(), *(d.artifact for d in dependencies if d.scope in {"compile", "runtime", None})]
    # Kafka logs through SLF4J, and its dependencies name no backend: without this one it is mute.
    log4j = next(jar.version for jar in jars if jar.artifactId == "log4j-core")
    backend = context.project("org.apache.logging.log4j", "log4j-slf4j-impl").at_version(log4j)
    jars.append(backend.artifact())
    archive = context.project("org.elasticsearch.distribution.integ-test-zip", "elasticsearch")
    return (
        f"{_HEADER}\n[kafka {kafka}]\n{_lines(jars)}\n"
        f"[elasticsearch {elasticsearch}]\n"
        f"{_lines([archive.at_version(elasticsearch).artifact(packaging='zip')])}"
    )


def _lines(artifacts: Iterable[Any]) -> str:
    lines = []
    for artifact in artifacts:
        content = artifact.resolve().read_bytes()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}:{artifact.packaging}"
        lines.append(f"{hashlib.sha256(content).hexdigest()} {len(content)} {coordinate}\n")
    return "".join(lines)


if __name__ == "__main__":
    current = load()
    wanted = sys.argv[1:] or [current["kafka"].version, current["elasticsearch"].version]
    PINS_FILE.write_text(resolve(*wanted))
