"""docker-compose.yml agrees with the definitions that `touchline up` uses: settings, topics, roles, metrics.

No Docker daemon is asked: what can be known without running the containers is checked here.
"""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from embedded.backends.kafka import behaviour
from kernel.log.topics import MAX_RECORD_BYTES, topics
from kernel.process import metrics
from kernel.settings.reading import Settings, load_settings
from kernel.version import VERSION
from touchline.cli import COMMANDS

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BROKERS = {name: s for name, s in SERVICES.items() if name.startswith("kafka-")}
OURS = {name: s for name, s in SERVICES.items() if s["image"].startswith("touchline:")}
#: Service -> the command of the role that it runs.
ROLES = {
    "stream": "stream",
    "edge-1": "edge",
    "edge-2": "edge",
    "indexer": "index",
    "outbox": "outbox",
    "gateway": "gateway",
}
#: Command -> the section of the settings that says where the role listens.
SECTIONS = {"stream": "stream", "edge": "edge", "index": "indexer", "outbox": "outbox", "gateway": "gateway"}
EDGES = [name for name, command in ROLES.items() if command == "edge"]
BALANCER = (ROOT / "deploy/balancer/haproxy.cfg").read_text("utf-8")
#: Programs that the published images carry, where health checks look for them.
PROGRAMS = {
    "apache/kafka": {"/opt/kafka/bin/kafka-broker-api-versions.sh"},
    "elasticsearch": {"curl"},
    "prom/prometheus": {"wget"},
    "haproxy": {"bash"},
    "grafana/grafana": {"wget"},
    "touchline": {"python"},
}


def settings_of(service: dict[str, Any]) -> Settings:
    environment = {name: str(value) for name, value in service["environment"].items()}
    return load_settings({name: as_given(value) for name, value in environment.items()})


def as_given(value: str) -> str:
    """A value of the file where .env is as the example: what is asked for is there, the rest as it stands."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", re.sub(r"\$\{\w+:\?.*?\}", "x" * 32, value))


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_role_is_one_that_touchline_knows(name: str) -> None:
    assert settings_of(OURS[name]).topics.replication_factor == 3


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_a_role_is_one_that_touchline_has(name: str) -> None:
    word = OURS[name]["command"][0]
    assert word in COMMANDS or word == "--help"


def test_every_role_runs() -> None:
    assert {name: OURS[name]["command"][0] for name in ROLES} == ROLES


def test_there_are_three_brokers_which_keep_three_copies_and_confirm_with_two() -> None:
    assert len(BROKERS) == 3
    wanted = settings_of(OURS["topics"])
    assert wanted.topics.replication_factor == len(BROKERS)
    for topic in topics(wanted):
        assert topic.config["min.insync.replicas"] == "2"
    for broker in BROKERS.values():
        assert broker["environment"]["KAFKA_MIN_INSYNC_REPLICAS"] == "2"
        assert broker["environment"]["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] == "3"


def test_brokers_know_one_another_and_their_own_number() -> None:
    for number, (name, broker) in enumerate(BROKERS.items(), 1):
        assert broker["environment"]["KAFKA_NODE_ID"] == str(number)
        assert broker["environment"]["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{name}:9092"
        assert f"{number}@{name}:9093" in broker["environment"]["KAFKA_CONTROLLER_QUORUM_VOTERS"]


def test_brokers_take_the_largest_record_that_touchline_writes() -> None:
    for broker in BROKERS.values():
        assert int(broker["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) >= MAX_RECORD_BYTES
        assert broker["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


#: What the embedded broker has for a small machine, not for how groups, copies and sizes behave.
OF_THE_MACHINE = re.compile(r"num\.|background\.|broker\.|log\.cleaner|.*num\.partitions")


def test_brokers_behave_as_the_embedded_ones_do() -> None:
    expected = {
        f"KAFKA_{name.upper().replace('.', '_')}": str(value)
        for name, value in behaviour(len(BROKERS)).items()
        if not OF_THE_MACHINE.match(name)
    }
    for broker in BROKERS.values():
        assert expected.items() <= broker["environment"].items()


def test_roles_find_every_broker() -> None:
    servers = settings_of(OURS["gateway"]).kafka.bootstrap_servers
    assert servers == ",".join(f"{name}:9092" for name in BROKERS)


@pytest.mark.parametrize("name", [n for n in SERVICES if n not in {"topics", "cli"}])
def test_every_service_is_checked_limited_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["healthcheck"]["interval"]


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if "healthcheck" in s])
def test_the_command_of_every_health_check_exists(name: str) -> None:
    service = SERVICES[name]
    how, program, *arguments = service["healthcheck"]["test"]
    image = service["image"].rsplit(":", 1)[0]
    assert how == "CMD"
    assert program in PROGRAMS[image]
    if image == "touchline":
        assert arguments[0] == "-m"
        # An image has the wheel, in which each folder is inside of `touchline`.
        home, _, module = arguments[1].partition(".")
        assert home == "touchline"
        assert importlib.util.find_spec(module), f"there is no module {module}"


@pytest.mark.parametrize("name", ROLES)
def test_a_roles_health_check_asks_the_port_that_the_role_listens_on(name: str) -> None:
    section: Any = getattr(settings_of(OURS[name]), SECTIONS[ROLES[name]])
    assert OURS[name]["healthcheck"]["test"][-1] == f"http://127.0.0.1:{section.port}/readyz"
    assert section.host == "0.0.0.0"  # others in the network reach it


def test_nothing_that_listens_to_the_network_runs_without_a_secret() -> None:
    for service in OURS.values():
        for name in ("TOUCHLINE_AUTH_SECRET", "TOUCHLINE_AUTH_INTERNAL_SECRET"):
            assert service["environment"][name].startswith(f"${{{name}:?")


def test_ports_are_bound_to_loopback_only() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", EDGES)
def test_an_edge_has_time_to_drain_before_it_is_killed(name: str) -> None:
    grace = int(OURS[name]["stop_grace_period"].removesuffix("s"))
    assert grace > settings_of(OURS[name]).edge.drain_s
    # The balancer waits for those whom it connects; it may not be killed either.
    hard_stop = re.search(r"hard-stop-after (\d+)s", BALANCER)
    assert hard_stop
    assert int(SERVICES["balancer"]["stop_grace_period"].removesuffix("s")) > int(hard_stop[1])


@pytest.mark.parametrize("name", EDGES)
def test_an_edge_sends_viewers_to_an_address_that_leads_to_it(name: str) -> None:
    edge = settings_of(OURS[name]).edge
    assert edge.name == name
    assert edge.cell
    assert urlsplit(edge.public_url).path == f"/edges/{name}/v1/ws"
    # Not by the path, which is another one by then: so it led to any edge.
    assert "use_backend %[var(txn.edge)] if { var(txn.edge) -m found }" in BALANCER
    assert f"\nbackend {name}\n    server {name} {name}:{edge.port}\n" in BALANCER
    assert f"    server {name} {name}:{edge.port}\n" in BALANCER.partition("backend edges")[2]


def test_pages_connect_to_the_balancer_and_may() -> None:
    gateway, edge = settings_of(OURS["gateway"]).gateway, settings_of(OURS["edge-1"]).edge
    assert edge.origins == (gateway.public_url,)
    assert gateway.edges == (gateway.public_url.replace("https:", "wss:") + "/v1/ws",)
    assert f"server gateway gateway:{gateway.port}" in BALANCER
    roles = dict(role.split("=", 1) for role in gateway.roles)
    assert roles.keys() == ROLES.keys()
    for name, url in roles.items():
        section: Any = getattr(settings_of(OURS[name]), SECTIONS[ROLES[name]])
        assert urlsplit(url).port == section.port
        assert urlsplit(url).hostname in (name, "127.0.0.1")


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_write_nothing_but_their_own_state(name: str) -> None:
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "/var/lib/touchline" in service["volumes"]
    settings = settings_of(service)
    for directory in (settings.state.dir, settings.attachments.dir):
        assert directory.startswith("/var/lib/touchline/")


def test_the_image_has_this_versions_number() -> None:
    assert {service["image"] for service in OURS.values()} == {f"touchline:{VERSION}"}


def test_limits_of_open_files_are_variables() -> None:
    """A daemon refuses more than its machine allows, and then nothing starts."""
    for name in (*EDGES, "balancer", "elasticsearch"):
        for limit in SERVICES[name]["ulimits"]["nofile"].values():
            assert re.fullmatch(r"\$\{\w+_OPEN_FILES:-\d+\}", limit)


def test_data_live_in_volumes_that_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = as_given(volume).split(":")[0]
            if source.startswith("./deploy/tls/"):
                continue  # the certificate is whoever's runs it
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            elif not source.startswith("/"):
                assert source in COMPOSE["volumes"]


def test_with_security_every_setting_is_one_that_touchline_knows() -> None:
    secure = yaml.safe_load((ROOT / "deploy/secure.yml").read_text("utf-8"))["services"]
    assert secure.keys() == {*BROKERS, *OURS, "elasticsearch"}
    for name, service in OURS.items():
        settings = settings_of({"environment": {**service["environment"], **secure[name]["environment"]}})
        assert settings.kafka.client["security.protocol"] == "SASL_SSL"
        assert settings.elasticsearch.url.startswith("https:")
        mounted = {volume.rsplit(":", 2)[1] for volume in secure[name]["volumes"]}
        assert mounted == {settings.kafka.client["ssl.ca.location"], settings.elasticsearch.ca_certs}
    for name in BROKERS:
        listeners = secure[name]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert listeners == f"CLIENT://{name}:9092,INTERNAL://{name}:9094"
        assert any(f"/{name}.pem:" in volume for volume in secure[name]["volumes"])


def test_every_variable_that_compose_asks_for_is_in_the_example() -> None:
    files = [(ROOT / name).read_text("utf-8") for name in ("docker-compose.yml", "deploy/secure.yml")]
    asked = {name for text in files for name in re.findall(r"\$\{(\w+)", text)}
    example = (ROOT / "deploy/example.env").read_text("utf-8")
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_prometheus_scrapes_every_role_on_its_port() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    found = {c["dns_sd_configs"][0]["names"][0]: c["dns_sd_configs"][0]["port"] for c in scraped}
    ours = {"edge" if command == "edge" else name: command for name, command in ROLES.items()}
    assert found == {
        **{name: getattr(Settings(), SECTIONS[command]).port for name, command in ours.items()},
        "balancer": 8404,
    }
    assert all(SERVICES[name]["networks"]["default"]["aliases"] == ["edge"] for name in EDGES)
    assert "bind :8404" in BALANCER


def test_the_dashboard_shows_only_metrics_that_exist() -> None:
    known = {
        sample
        for family in metrics.registry().collect()
        for sample in (
            family.name,
            *(f"{family.name}_{suffix}" for suffix in ("total", "bucket", "count", "sum")),
        )
    }
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/touchline.json").read_text("utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for e in expressions for name in re.findall(r"\b(?:touchline|process)_\w+", e)}
    assert named
    assert named <= known, named - known


def test_the_image_is_built_from_files_that_exist() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
    packages = {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()} - {"tests"}
    assert packages <= set(copied)
    assert "USER touchline" in dockerfile
