"""The doctor finds what is missing, and says how to get it."""

import json
import resource
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import requests

from embedded import doctor
from embedded.supervision.plan import Claim
from touchline.cli import run


def test_this_machine_can_run_the_tests() -> None:
    assert doctor.python().verdict == "ok"
    java = doctor.java()
    assert (java.verdict, "openjdk" in java.message.lower()) == ("ok", True)


@pytest.mark.parametrize(("free", "verdict"), [(10e9, "ok"), (2e9, "warn"), (0.5e9, "fail")])
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, verdict: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = doctor.disk(tmp_path / "not" / "there" / "yet")
    assert found.verdict == verdict
    assert f"{free / 1e9:.1f} GB" in found.message


@pytest.mark.parametrize(("free", "verdict"), [(8e9, "ok"), (1e9, "warn")])
def test_memory(monkeypatch: pytest.MonkeyPatch, free: float, verdict: str) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    assert doctor.memory().verdict == verdict


def test_few_open_files_are_warned_of_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 10_000))
    found = doctor.open_files()
    assert found.verdict == "warn"
    assert "`ulimit -n 10000`" in found.hint


def test_servers_that_are_not_there_will_be_downloaded(tmp_path: Path) -> None:
    found = doctor.servers(tmp_path)
    assert found.verdict == "warn"
    assert "Kafka" in found.message
    assert "Elasticsearch" in found.message


def test_a_registry_out_of_reach_fails_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", refuse)
    assert doctor.registry(needed=False).verdict == "ok"
    found = doctor.registry(needed=True)
    assert found.verdict == "fail"
    assert "HTTPS_PROXY" in found.hint


def test_each_taken_port_is_told_unless_it_is_our_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        claims = [Claim(server.getsockname()[1], "edge", "TOUCHLINE_EDGE_PORT")]
        (found,) = doctor.taken_ports(claims, is_up=False)
        assert found.verdict == "fail"
        assert "TOUCHLINE_EDGE_PORT" in found.hint
        (ours,) = doctor.taken_ports(claims, is_up=True)
        assert ours.verdict == "ok"
    (free,) = doctor.taken_ports(claims, is_up=False)
    assert free.verdict == "ok"


def test_the_command_exits_1_when_something_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "registry", lambda needed: doctor.Finding("Maven", "fail", "Out of reach."))
    monkeypatch.setattr(doctor, "taken_ports", lambda _claims, is_up: iter(()))
    assert run(["doctor", "--json", "--data-dir", str(tmp_path)]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert findings[-2]["message"] == "Out of reach."
    monkeypatch.setattr(doctor, "registry", lambda needed: doctor.Finding("Maven", "ok", "It answers."))
    monkeypatch.setattr(doctor, "disk", lambda _: doctor.Finding("Disk", "ok", "Enough."))
    assert run(["doctor", "--data-dir", str(tmp_path)]) == 0
