"""Images that stand in for published ones where no registry of images is in reach (deploy/standins)."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from embedded.backends import artifacts, elasticsearch, pins
from tests.containers.daemon import Daemon, NoDaemonError, cache_dir, run
from tests.containers.jobs import Job, do
from tests.servers import servers_dir

ROOT: Final = Path(__file__).parents[2]
RECIPES: Final = ROOT / "deploy" / "standins"
ROOTFS: Final = "touchline-standin/rootfs:trixie"
#: Says whether stand-ins are made: 1 always, 0 never, or nothing: where images cannot be pulled.
VARIABLE: Final = "STANDINS"
_PULL_S: Final = 240.0
_LEFT_OUT: Final = ("doc", "man", "info", "locale", "lintian")


_DEBIAN: Final = "touchline-standin/debian:trixie"
_SERVERS: Final = "the servers' archives"


@dataclass(frozen=True)
class Standin:
    """One image: its name, where its recipe is, what comes before it, and what is put beside the recipe."""

    image: str
    recipe: str
    rests_on: tuple[str, ...] = (_DEBIAN,)
    target: str = ""
    fill: Callable[[Path], None] | None = None


def published() -> Mapping[str, Standin]:
    """All that can be made, in the order in which one rests on the other."""
    kafka, search = server_images()
    made = (
        Standin(_DEBIAN, "debian", (ROOTFS,), fill=_fill_debian),
        Standin("python:3.13-slim", "python", target="slim"),
        Standin("python:3.13", "python", ("python:3.13-slim",)),
        Standin("node:24-slim", "node", ("python:3.13",)),
        Standin(kafka, "kafka", (_DEBIAN, _SERVERS), fill=_fill_kafka),
        Standin(search, "elasticsearch", (_DEBIAN, _SERVERS), fill=_fill_elasticsearch),
        Standin("prom/prometheus:v3.5.0", "prometheus"),
        Standin("haproxy:3.0", "haproxy"),
    )
    return {standin.image: standin for standin in made}


def server_images() -> list[str]:
    """What tests on testcontainers start."""
    versions = {name: server.version for name, server in pins.load().items()}
    return [f"apache/kafka:{versions['kafka']}", f"elasticsearch:{versions['elasticsearch']}"]


def dockerfile_images() -> list[str]:
    """What the project's Dockerfile is built on."""
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith("FROM ")]


def provide(daemon: Daemon, images: list[str], say: Callable[[str], None]) -> frozenset[str]:
    """See to it that the daemon has these images: they are there, are pulled, or are made.

    Those that cannot be had at all are handed back.
    """
    wanted, without = plan(daemon, images, say)
    do(wanted, say)
    return without


def plan(daemon: Daemon, images: list[str], say: Callable[[str], None]) -> tuple[list[Job], frozenset[str]]:
    """What there is to do for `provide`, and what cannot be had at all."""
    wanted = os.environ.get(VARIABLE, "")
    missing = [image for image in images if not _has(daemon, image, published=True)]
    if wanted == "0":
        return [], frozenset()  # whoever needs an image pulls it
    if wanted != "1":
        if not missing:
            return [], frozenset()
        if _pulled(daemon, missing[0]):  # in the place of one that stood in, too
            pulls = [Job(image, (), partial(_pulled, daemon, image)) for image in missing[1:]]
            return pulls, frozenset()
        say(
            f"{missing[0]} cannot be pulled: what stands in for such images is made of packages "
            f"(deploy/standins; {VARIABLE}=0 refuses that)"
        )
    known = published()
    # Built each time: where nothing has changed, the daemon finds its layers in a second.
    made = [known[image] for image in known if image in images or image == _DEBIAN]
    jobs = [Job(ROOTFS, (), lambda: _provide_rootfs(daemon))]
    if any(_SERVERS in standin.rests_on for standin in made):
        jobs.append(Job(_SERVERS, (), _servers))
    jobs += (Job(s.image, s.rests_on, partial(_build, daemon, s)) for s in made)
    return jobs, frozenset(missing) - known.keys()


def _has(daemon: Daemon, image: str, *, published: bool = False) -> bool:
    """Whether it is there; `published`: and none that stands in, whose recipe may have changed."""
    if not daemon.docker("image", "ls", "--quiet", image).strip():
        return False
    labels = '{{index .Config.Labels "touchline.standin"}}'
    return not (published and daemon.docker("image", "inspect", "--format", labels, image).strip())


def _pulled(daemon: Daemon, image: str) -> bool:
    """Whether it could be pulled; then so can the others."""
    try:
        daemon.docker("pull", "--quiet", image, timeout=_PULL_S)
    except (RuntimeError, subprocess.TimeoutExpired):
        return False
    return True


def _provide_rootfs(daemon: Daemon) -> None:
    if _has(daemon, ROOTFS):
        return
    if shutil.which("mmdebstrap") is None:
        raise NoDaemonError(
            "No image can be pulled, and to make stand-ins mmdebstrap is needed: apt-get install mmdebstrap."
        )
    archive = cache_dir() / "trixie.tar"
    if not archive.exists():
        unfinished = archive.with_suffix(".part.tar")
        run(
            (
                *("mmdebstrap", "--quiet", "--variant=minbase", '--aptopt=Acquire::Languages "none"'),
                *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
                "--dpkgopt=force-unsafe-io",  # whoever loses power makes it anew
                *("trixie", str(unfinished)),
            ),
            timeout=500,
        )
        unfinished.replace(archive)
    daemon.docker("import", str(archive), ROOTFS)


def _build(daemon: Daemon, standin: Standin) -> None:
    target = ("--target", standin.target) if standin.target else ()
    with tempfile.TemporaryDirectory(prefix="touchline-standin-") as name:
        context = Path(name) / standin.recipe
        shutil.copytree(RECIPES / standin.recipe, context)
        if standin.fill is not None:
            standin.fill(context)
        build(daemon, standin.image, context, *target)


def build(daemon: Daemon, image: str, context: Path, *options: str) -> None:
    """Build an image. By the builder that every daemon has: the newer one is a program of its own."""
    environment = {**daemon.environment, "DOCKER_BUILDKIT": "0"}
    run(
        ("docker", "build", "--quiet", "--tag", image, *options, str(context)),
        environment=environment,
        timeout=900,
    )


# ── what is put beside a recipe ──────────────────────────────────────────────────────────────────────


def _fill_debian(context: Path) -> None:
    # The machine's own bundle: package registries may be reached through a proxy that signs for them.
    bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    shutil.copyfile(bundle, context / "certificates.pem")


def _servers() -> dict[str, Path]:
    """Where the servers' archives lie; they are downloaded where they are not there."""
    known = pins.read((RECIPES / "pins.txt").read_text("utf-8"))
    tools = artifacts.install(servers_dir(), ("kafka-tools", "ecj"), known=known)
    return tools | artifacts.install(servers_dir(), ("kafka", "elasticsearch"))


def _fill_kafka(context: Path) -> None:
    homes = _servers()
    shutil.copytree(artifacts.java_home(), context / "java")
    shutil.copytree(homes["kafka"], context / "jars")
    shutil.copytree(homes["kafka-tools"], context / "jars", dirs_exist_ok=True)


def _fill_elasticsearch(context: Path) -> None:
    homes = _servers()
    home = homes["elasticsearch"]
    _compile(homes["ecj"], home, context / "analysis")
    shutil.copytree(artifacts.java_home(), context / "java")
    shutil.copytree(home, context / "home", ignore=shutil.ignore_patterns("logs", "*.bat", "*.exe"))
    distributed = (home / "config" / "jvm.options").read_text()
    (context / "config" / "jvm.options").write_text(elasticsearch.jvm_options(distributed, "1g"))


def _compile(ecj: Path, home: Path, plugin: Path) -> None:
    """Make a plugin's jar of its sources, the same bytes each time. A compiler that needs no JDK."""
    (compiler,), classes = ecj.glob("*.jar"), plugin / "classes"
    java, jars = (
        str(artifacts.java_home() / "bin" / "java"),
        ":".join(map(str, sorted(home.glob("lib/*.jar")))),
    )
    options = ("-source", "21", "-target", "21", "-proc:none", "-nowarn", "-cp", jars, "-d", str(classes))
    run((java, "-jar", str(compiler), *options, *map(str, sorted(plugin.rglob("*.java")))))
    with zipfile.ZipFile(plugin / f"{plugin.name}.jar", "w") as jar:
        for path in sorted(classes.rglob("*.class")):
            jar.writestr(zipfile.ZipInfo(str(path.relative_to(classes))), path.read_bytes())
    shutil.rmtree(classes)
