"""A real Elasticsearch of one node, on loopback, without security: for a laptop and for tests."""

import http.client
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedded import ports
from embedded.backends import account
from embedded.backends.java import java_environment
from embedded.supervision.process import Command, Process
from kernel.process.logs import get_logger

#: Flags of the distribution's jvm.options that do not fit here: the wheel's Java runtime has no vector module
#: (Lucene then computes without it), and nobody reads 2 GB of garbage collection logs.
_UNFIT_FLAGS: Final = ("--add-modules=jdk.incubator.vector", "-Xlog:gc", "-XX:+HeapDumpOnOutOfMemoryError")

_LOG4J: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}] %p %m (%c{1.})%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""

_SETTINGS: Final = f"""\
cluster.name: touchline
node.name: touchline-1
discovery.type: single-node
network.host: {ports.LOOPBACK}
xpack.security.enabled: false
# Absolute, not shares of the disk: a laptop's disk that is 95 % full is an ordinary one.
cluster.routing.allocation.disk.watermark.low: 1gb
cluster.routing.allocation.disk.watermark.high: 500mb
cluster.routing.allocation.disk.watermark.flood_stage: 250mb
"""


@dataclass(frozen=True)
class Place:
    """Where it lives and listens."""

    directory: Path
    home: Path
    java_home: Path
    port: int
    transport_port: int
    heap: str = "1g"


class Elasticsearch(Process):
    """Elasticsearch's process: a launcher, and the server as its child."""

    def __init__(self, place: Place, logs: Path) -> None:
        super().__init__("elasticsearch", self._prepare, logs / "elasticsearch.log")
        self._place = place

    @property
    def port(self) -> int:
        return self._place.port

    @property
    def url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self._place.port}"

    def start(self, *, timeout_seconds: float = 180) -> None:
        """Start it, and wait until it can be used."""
        self.launch()
        self.wait_until_ready(timeout_seconds=timeout_seconds)

    def wait_until_ready(self, *, timeout_seconds: float = 180) -> None:
        """Wait until it answers and all of its indexes can be searched and written to."""
        self.wait_until(lambda: is_ready(self._place.port), timeout_seconds=timeout_seconds)

    def _prepare(self) -> Command:
        place = self._place
        user = account.unprivileged()
        java_home = account.readable_copy(place.java_home, user, probe="bin/java")
        home = account.readable_copy(place.home, user, probe="config/jvm.options")
        directory = account.own_directory(place.directory, user)
        _say_what_moved(
            {
                place.java_home: java_home,
                place.home: home,
                place.directory.absolute(): directory.absolute(),
            }.items()
        )
        config, temporary = directory / "config", directory / "tmp"
        for part in (config, temporary):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        (config / "elasticsearch.yml").write_text(
            f"{_SETTINGS}path.data: {directory / 'data'}\npath.logs: {directory / 'logs'}\n"
            f"http.port: {place.port}\ntransport.port: {place.transport_port}\n"
        )
        (config / "log4j2.properties").write_text(_LOG4J)
        (config / "jvm.options").write_text(
            jvm_options((home / "config" / "jvm.options").read_text(), place.heap)
        )
        if user is not None:
            for part in (config, temporary, *config.iterdir()):
                os.chown(part, user.uid, user.gid)
        return Command(
            argv=launcher(java_home, home, config),
            environment=java_environment() | {"ES_TMPDIR": str(temporary)},
            directory=home,  # where the launcher looks for the modules
            account=user,
        )


def launcher(java_home: Path, home: Path, config: Path) -> tuple[str, ...]:
    """What bin/elasticsearch runs in the end; this way needs no bash, and no look at Java's version."""
    return (
        str(java_home / "bin" / "java"),
        *("-Xms4m", "-Xmx64m", "-XX:+UseSerialGC"),
        *("-Dcli.name=server", f"-Dcli.script={home}/bin/elasticsearch", "-Dcli.libs=lib/tools/server-cli"),
        *(f"-Des.path.home={home}", f"-Des.path.conf={config}"),
        *("-Des.distribution.type=zip", "-Des.java.type=ES_JAVA_HOME"),
        *("-cp", f"{home}/lib/*:{home}/lib/cli-launcher/*"),
        "org.elasticsearch.launcher.CliToolLauncher",
    )


def is_ready(port: int, host: str = ports.LOOPBACK) -> bool:
    """Whether it answers, has a master, and every index's primary shard is there."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        response = connection.getresponse()
        return response.status == http.client.OK and not json.loads(response.read())["timed_out"]
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def jvm_options(distributed: str, heap: str) -> str:
    """The distribution's jvm.options, made fit for this runtime and this heap."""
    kept = [
        line
        for line in distributed.splitlines()
        if line and not line.startswith("#") and not any(flag in line for flag in _UNFIT_FLAGS)
    ]
    # The launcher would have the whole heap touched at the start: 600 MB more than a small index needs.
    return "\n".join([*kept, f"-Xms{heap}", f"-Xmx{heap}", "-XX:-AlwaysPreTouch", ""])


def _say_what_moved(places: Iterable[tuple[Path, Path]]) -> None:
    for wanted, used in places:
        if wanted.resolve() != used.resolve() or wanted.is_symlink():
            get_logger(__name__).info(
                "Elasticsearch does not run as root, and its user cannot enter a directory: it uses another",
                directory=str(wanted),
                uses=str(used.resolve()),
            )
