"""What `touchline doctor` finds: what this machine lacks for the pipeline, and how to get it."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil
import requests
from jgo.maven import MavenContext

from embedded import ports, preflight
from embedded.backends import account, artifacts, pins
from embedded.supervision.plan import Claim
from kernel.errors import TouchlineError
from kernel.log.topics import indexer_group, worker_group
from kernel.settings.reading import Settings

Verdict = Literal["ok", "warn", "fail"]

_MEMORY_BYTES: Final = 3_000_000_000
_OPEN_FILES: Final = 4096


@dataclass(frozen=True)
class Finding:
    """What one check has found: a sentence, and what to do where it is not `ok`."""

    check: str
    verdict: Verdict
    message: str
    hint: str = ""


def examine(
    settings: Settings, *, data_dir: Path, servers_dir: Path, claims: list[Claim], is_up: bool
) -> Iterator[Finding]:
    """Run all checks, one after the other; each one is told as soon as it is known."""
    yield pipeline(settings)
    yield python()
    yield java()
    yield memory()
    yield disk(data_dir)
    yield open_files()
    installed = servers(servers_dir)
    yield installed
    yield registry(needed=installed.verdict != "ok")
    yield user()
    yield from taken_ports(claims, is_up=is_up)


def pipeline(settings: Settings) -> Finding:
    """Which pipeline these settings are of: several may share servers, told apart by their prefixes."""
    topics, indices = settings.topics.prefix, settings.elasticsearch.index_prefix
    said = f"Topics are {topics}.*, indices {indices}-*, groups {worker_group(settings)} and"
    said += f" {indexer_group(settings)}."
    defaults = Settings()
    alike = (topics == defaults.topics.prefix) == (indices == defaults.elasticsearch.index_prefix)
    if alike:
        return Finding("Pipeline", "ok", said)
    return Finding(
        "Pipeline",
        "warn",
        f"{said} One of the two prefixes is the default.",
        "Where pipelines share servers each needs both: TOUCHLINE_TOPICS_PREFIX and"
        " TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX.",
    )


def python() -> Finding:
    """Only told: where the version is too old, this module cannot be read."""
    return Finding("Python", "ok", f"Python {sys.version.split()[0]} at {sys.executable}.")


def java() -> Finding:
    """Whether the Java runtime is there for this platform, and runs."""
    try:
        home = artifacts.java_home()
    except TouchlineError as error:
        return Finding("Java", "fail", error.message, error.hint)
    answer = subprocess.run(
        [home / "bin" / "java", "-version"], capture_output=True, text=True, check=False, timeout=60
    )
    if answer.returncode == 0:
        # A line before it tells of JDK_JAVA_OPTIONS, where they are set.
        version = next(line for line in answer.stderr.splitlines() if " version " in line)
        return Finding("Java", "ok", f"{version}, from the wheel.")
    return Finding(
        "Java",
        "fail",
        f"The wheel's Java runtime does not run on this machine: {answer.stderr.strip()[:200]}.",
        "Is it a system with glibc or musl of the wheel's architecture? `make clean setup` installs it anew.",
    )


def memory() -> Finding:
    free = psutil.virtual_memory().available
    said = f"{free / 1e9:.1f} GB of memory are available."
    if free >= _MEMORY_BYTES:
        return Finding("Memory", "ok", said)
    return Finding(
        "Memory",
        "warn",
        f"{said} The pipeline wants about {_MEMORY_BYTES / 1e9:.0f} GB.",
        "Close programs, or lower TOUCHLINE_EMBEDDED_KAFKA_HEAP and TOUCHLINE_EMBEDDED_ELASTICSEARCH_HEAP.",
    )


def disk(data_dir: Path) -> Finding:
    there = next(path for path in (data_dir, *data_dir.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding(
            "Disk", "fail", f"{there} cannot be written to.", "Name another directory with --data-dir."
        )
    free = shutil.disk_usage(there).free
    said = f"{free / 1e9:.1f} GB are free for {data_dir}."
    if free >= 3 * preflight.LEAST_FREE_BYTES:
        return Finding("Disk", "ok", said)
    verdict: Verdict = "warn" if free >= preflight.LEAST_FREE_BYTES else "fail"
    return Finding("Disk", verdict, said, "Free some, or name a directory on another disk with --data-dir.")


def open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"A process may open {soft} files."
    if soft >= _OPEN_FILES or soft == resource.RLIM_INFINITY:
        return Finding("Open files", "ok", said)
    allowed = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    return Finding(
        "Open files",
        "warn",
        f"{said} An edge needs one for each viewer.",
        f"`ulimit -n {allowed}` before `touchline up`.",
    )


def servers(servers_dir: Path) -> Finding:
    missing = [
        server.label for server in pins.load().values() if not artifacts.is_installed(servers_dir, server)
    ]
    if not missing:
        labels = " and ".join(server.label for server in pins.load().values())
        return Finding("Servers", "ok", f"{labels} are in {servers_dir}.")
    return Finding(
        "Servers", "warn", f"{' and '.join(missing)} will be downloaded.", "`touchline up` does it, once."
    )


def registry(*, needed: bool) -> Finding:
    """Whether the servers could be downloaded: asks for one small file of theirs."""
    if not needed:
        return Finding("Maven", "ok", "Nothing has to be downloaded.")
    context = MavenContext()
    pin = pins.load()["kafka"].pins[0]
    path = f"{pin.group.replace('.', '/')}/{pin.artifact}/{pin.version}/{pin.filename}"
    failure = "no repository is configured"
    for base in context.remote_repos.values():
        try:
            answer = requests.head(f"{base}/{path}", timeout=10, allow_redirects=True)
        except requests.RequestException as error:
            failure = type(error).__name__
        else:
            if answer.ok:
                return Finding("Maven", "ok", "The Maven repository answers.")
            failure = f"HTTP {answer.status_code}"
    return Finding(
        "Maven",
        "fail",
        f"The Maven repository, from which the servers come, cannot be reached ({failure}).",
        "Behind a proxy set HTTPS_PROXY, and REQUESTS_CA_BUNDLE if it has a certificate of its own.",
    )


def user() -> Finding:
    """Whom Elasticsearch would run as."""
    other = account.unprivileged()
    if other is None:
        return Finding("User", "ok", "Elasticsearch runs as you.")
    return Finding(
        "User", "ok", f"You are root, which Elasticsearch refuses: it runs as user id {other.uid}."
    )


def taken_ports(claims: list[Claim], *, is_up: bool) -> Iterator[Finding]:
    if is_up:
        yield Finding("Ports", "ok", "The pipeline is up, and has its ports.")
        return
    taken = [claim for claim in claims if not ports.is_free(claim.port)]
    for claim in taken:
        holder = ports.holder(claim.port)
        yield Finding(
            "Ports",
            "fail",
            f"Port {claim.port}, which {claim.owner} needs, is taken by {holder or 'another program'}.",
            f"Stop that program, or set {claim.setting} to a port that is free.",
        )
    if not taken:
        yield Finding("Ports", "ok", f"All {len(claims)} ports are free.")
