"""docker-compose.yml, driven as people drive it: `docker compose`, with a .env of its own."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from embedded import ports
from kernel.version import VERSION
from tests.containers.daemon import Daemon, run
from tests.containers.tools import build

ROOT: Final = Path(__file__).parents[2]
HOST: Final = "127.0.0.1"
#: What the Dockerfile is built into.
IMAGE: Final = f"touchline:{VERSION}"


def compose_program(daemon: Daemon) -> tuple[str, ...]:
    """The command that is Compose 2. Builds it where it is missing and can be built."""
    try:
        daemon.docker("compose", "version")
    except RuntimeError:
        return (build("docker-compose"),)
    return ("docker", "compose")


def compose_images() -> list[str]:
    """The published images that docker-compose.yml names."""
    lines = (ROOT / "docker-compose.yml").read_text("utf-8").splitlines()
    named = {line.split()[1] for line in lines if line.strip().startswith("image: ")}
    return sorted(named - {IMAGE})


class Compose:
    """One project of docker-compose.yml. Its names, ports and volumes are nobody else's."""

    def __init__(self, daemon: Daemon, directory: Path, *, secure: bool = False) -> None:
        self.daemon, self.directory, self.secure = daemon, directory, secure
        self.project = f"touchline-held-{os.getpid()}"
        #: Images that cannot be had: what runs them is left out.
        self.without: frozenset[str] = frozenset()
        self._files = ("docker-compose.yml", *(("deploy/secure.yml",) if secure else ()))
        tls = directory / "tls"
        run((str(ROOT / "deploy/certificates.sh"), str(tls)))
        directory.chmod(0o755)  # the containers' users are none of this machine's
        #: Who trusts this trusts the balancer.
        self.certificate = tls / "ca.pem"
        taken: set[int] = set()
        for _ in range(3):
            taken.add(ports.find_free(avoid=taken))
        self.balancer_port, self.prometheus_port, grafana = sorted(taken)
        open_files = str(daemon.open_files)
        self.variables = {
            "TOUCHLINE_AUTH_SECRET": secrets.token_urlsafe(48),
            "TOUCHLINE_AUTH_INTERNAL_SECRET": secrets.token_urlsafe(48),
            "GRAFANA_ADMIN_PASSWORD": secrets.token_urlsafe(12),
            "KAFKA_PASSWORD": secrets.token_urlsafe(12),
            "ELASTIC_PASSWORD": secrets.token_urlsafe(12),
            "ELASTICSEARCH_API_KEY": "",
            "PUBLIC_URL": self.url,
            "PUBLIC_EDGES": self.edges,
            "BALANCER_PORT": str(self.balancer_port),
            "PROMETHEUS_PORT": str(self.prometheus_port),
            "GRAFANA_PORT": str(grafana),
            "TLS_DIR": str(tls),
            "EDGE_OPEN_FILES": open_files,
            "ELASTICSEARCH_OPEN_FILES": open_files,
            "ELASTICSEARCH_LOCKED_BYTES": str(daemon.locked_bytes),
        }

    @property
    def url(self) -> str:
        """Where people reach the gateway."""
        return f"https://{HOST}:{self.balancer_port}"

    @property
    def edges(self) -> str:
        """Where viewers connect."""
        return f"wss://{HOST}:{self.balancer_port}"

    @property
    def prometheus(self) -> str:
        return f"http://{HOST}:{self.prometheus_port}"

    @cached_property
    def _program(self) -> tuple[str, ...]:
        return compose_program(self.daemon)

    @cached_property
    def _images(self) -> dict[str, str]:
        """Of each service: its image."""
        found = json.loads(self("config", "--format", "json"))["services"]
        return {name: service["image"] for name, service in sorted(found.items())}

    @property
    def services(self) -> list[str]:
        """All that run for good, but for what cannot be had."""
        return [name for name, image in self._images.items() if image not in self.without]

    def __call__(self, *arguments: str, timeout: float = 300, env: Mapping[str, str] | None = None) -> str:
        """`docker compose …`: what it prints. `env`: instead of the variables of this project."""
        given = self.variables if env is None else env
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        return run(
            (*self._command, *arguments), environment=self._environment, directory=ROOT, timeout=timeout
        )

    @property
    def _env_file(self) -> Path:
        return self.directory / "variables.env"

    @property
    def _command(self) -> tuple[str, ...]:
        return (
            *self._program,
            *("--project-name", self.project, "--env-file", str(self._env_file)),
            *(word for name in self._files for word in ("--file", str(ROOT / name))),
        )

    @property
    def _environment(self) -> dict[str, str]:
        """Without the variables of the project: they would come before those of its file."""
        mine = self.daemon.environment
        return {name: value for name, value in mine.items() if name not in self.variables}

    def up(self, *options: str, timeout: float = 600) -> None:
        """Bring all of it up, and wait until it is healthy."""
        lasting = [name for name in self.services if name != "topics"]
        self("up", "--detach", "--no-build", "--wait", *options, *lasting, timeout=timeout)

    def give_key(self) -> None:
        """An API key for the roles, made as people make it: by a script that asks `docker compose`."""
        self("up", "--detach", "--no-build", "--wait", "elasticsearch", timeout=300)
        environment = {**self._environment, "COMPOSE": " ".join(self._command)}
        line = run((str(ROOT / "deploy/api-key.sh"),), environment=environment)
        self.variables["ELASTICSEARCH_API_KEY"] = line.strip().partition("=")[2]

    def down(self, *, volumes: bool) -> None:
        self("down", "--timeout", "60", "--remove-orphans", *(["--volumes"] if volumes else []), timeout=300)

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What Docker knows of the containers, those that have ended too."""
        asked = ("ps", "--all", "--quiet", *([service] if service else []))
        ids = self(*asked).split()
        return list(json.loads(self.daemon.docker("inspect", *ids))) if ids else []

    def kill(self, service: str) -> None:
        """kill -9 of one of its processes, as the kernel does it: Docker then starts it again."""
        container = next(c for c in self.containers(service) if c["State"]["Running"])
        if self.daemon.own:
            os.kill(container["State"]["Pid"], signal.SIGKILL)
        else:  # Docker takes its own `kill` for our will, and starts nothing
            self.daemon.docker("kill", container["Id"])
            self.daemon.docker("start", container["Id"])

    def healthy(self, service: str) -> bool:
        """Whether all containers of a service run and are well."""
        found = self.containers(service)
        return bool(found) and all(
            c["State"]["Running"] and c["State"].get("Health", {}).get("Status") == "healthy" for c in found
        )

    @contextlib.contextmanager
    def killed_for_memory(self) -> Iterator[Callable[[], set[str]]]:
        """Which containers were, since it was begun. Those that are started again have forgotten it."""
        heard = self.directory / "killed"
        asked = ("--filter", "event=oom", "--filter", f"label=com.docker.compose.project={self.project}")
        with heard.open("wb") as to:
            listening = subprocess.Popen(
                ("docker", "events", *asked, "--format", "{{.Actor.Attributes.name}}"),
                stdin=subprocess.DEVNULL,
                stdout=to,
                env=self.daemon.environment,
            )
        try:
            yield lambda: set(heard.read_text().split())
        finally:
            listening.terminate()
            listening.wait()

    def logs(self) -> str:
        """The last words of everybody, for whoever looks why it did not hold."""
        return self("logs", "--no-color", "--tail", "40")
