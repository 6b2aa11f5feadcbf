"""What `up` starts follows from the settings."""

from pathlib import Path

import pytest

from control.outlets.vapid import read_vapid
from embedded import doctor
from embedded.datadir import DataDirectory
from embedded.supervision.plan import Claim, Plan, refuse_double_claims
from embedded.supervision.supervisor import Spec, check
from kernel.errors import TouchlineError
from kernel.log.topics import indexer_group, worker_group
from kernel.settings.reading import Auth, Edge, Gateway, Outbox, Settings, load_settings

HOMES = {"kafka": Path("/kafka"), "elasticsearch": Path("/elasticsearch")}


def specs(plan: Plan, tmp_path: Path) -> dict[str, Spec]:
    found = plan.specs(DataDirectory(tmp_path), HOMES, Path("/java"))
    check(found)
    return {spec.name: spec for spec in found}


def test_one_of_each_role_after_the_topics(tmp_path: Path) -> None:
    found = specs(Plan(Settings()), tmp_path)
    assert list(found) == ["kafka", "elasticsearch", "topics", "stream", "index", "edge", "outbox", "gateway"]
    assert found["topics"].after == ("kafka",)
    assert found["topics"].is_ready is None
    assert "topics" in found["edge"].after
    assert "elasticsearch" not in found["edge"].after
    assert "elasticsearch" in found["gateway"].after


def test_more_edges_have_names_and_neighbouring_ports(tmp_path: Path) -> None:
    plan = Plan(Settings(), edges=3)
    assert [spec for spec in specs(plan, tmp_path) if spec.startswith("edge")] == [
        "edge-1",
        "edge-2",
        "edge-3",
    ]
    assert plan.addresses.edges == tuple(f"ws://127.0.0.1:{port}/v1/ws" for port in (18081, 18082, 18083))


def test_more_workers_never_take_another_roles_port(tmp_path: Path) -> None:
    plan = Plan(Settings(), workers=8, edges=8)
    refuse_double_claims(plan.claims)
    ports = [spec.port for spec in specs(plan, tmp_path).values() if spec.port is not None]
    assert len(set(ports)) == len(ports) == 21


def test_a_port_given_twice_is_said_with_both_owners() -> None:
    plan = Plan(Settings(gateway=Gateway(port=18081)))
    with pytest.raises(
        TouchlineError, match=r"Port 18081 is given twice: to edge .* and to gateway"
    ) as refused:
        refuse_double_claims(plan.claims)
    assert refused.value.code == "bad_setting"


def test_claims_name_the_setting_that_decides() -> None:
    assert Claim(18072, "index", "TOUCHLINE_INDEXER_PORT") in Plan(Settings()).claims
    assert Claim(19092, "Kafka", "TOUCHLINE_EMBEDDED_KAFKA_PORT") in Plan(Settings()).claims


def test_a_role_that_listens_on_all_addresses_is_reached_on_loopback() -> None:
    plan = Plan(Settings(gateway=Gateway(host="0.0.0.0"), edge=Edge(tls_cert="c.pem", tls_key="k.pem")))
    assert plan.addresses.gateway == "http://127.0.0.1:18080"
    assert plan.addresses.edges == ("wss://127.0.0.1:18081/v1/ws",)


def test_all_roles_sign_by_one_secret_which_stays_and_is_nobodys_to_read(tmp_path: Path) -> None:
    def secrets() -> set[str]:
        found = specs(Plan(Settings()), tmp_path)
        commands = [
            found[name].process.command() for name in ("stream", "index", "edge", "outbox", "gateway")
        ]
        return {command.environment["TOUCHLINE_AUTH_INTERNAL_SECRET"] for command in commands}

    (secret,) = secrets()
    assert len(secret) >= 32
    assert secrets() == {secret}
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    given = Plan(Settings(auth=Auth(internal_secret="g" * 32)))
    command = specs(given, tmp_path)["stream"].process.command()
    assert command.environment["TOUCHLINE_AUTH_INTERNAL_SECRET"] == "g" * 32


def test_browsers_are_pushed_to_by_one_key_which_stays_and_is_nobodys_to_read(tmp_path: Path) -> None:
    def keys() -> set[str]:
        found = specs(Plan(Settings()), tmp_path)
        files = [
            found[name].process.command().environment["TOUCHLINE_OUTBOX_VAPID_KEY"]
            for name in ("outbox", "gateway")
        ]
        read = [read_vapid(Settings(outbox=Outbox(vapid_key=file))) for file in files]
        return {key.public for key in read if key is not None}

    (public,) = keys()
    assert keys() == {public}
    assert (tmp_path / "vapid.pem").stat().st_mode & 0o077 == 0
    given = specs(Plan(Settings(outbox=Outbox(vapid_key="mine.pem"))), tmp_path)["outbox"]
    assert given.process.command().environment["TOUCHLINE_OUTBOX_VAPID_KEY"] == "mine.pem"


def test_what_runs_says_whose_it_is() -> None:
    settings = load_settings(
        {"TOUCHLINE_TOPICS_PREFIX": "football", "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": "football"}
    )
    assert (Plan(settings).addresses.topics, Plan(settings).addresses.indices) == ("football", "football")
    assert (worker_group(settings), indexer_group(settings)) == ("football-stream", "football-index")
    assert worker_group(Settings()) == "touchline-stream", "as it was"


def test_doctor_tells_pipelines_apart_and_warns_of_half_a_name() -> None:
    told = doctor.pipeline(load_settings({"TOUCHLINE_TOPICS_PREFIX": "football"}))
    assert (told.verdict, "football.*" in told.message, "touchline-*" in told.message) == ("warn", True, True)
    assert doctor.pipeline(Settings()).verdict == "ok"
