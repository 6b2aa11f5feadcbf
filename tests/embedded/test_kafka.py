"""How a broker is set up, alone and among three; how it runs is tests/embedded/test_servers.py's."""

from pathlib import Path

import pytest

from embedded.backends import kafka
from embedded.backends.kafka import Layout, Node


def properties(count: int) -> dict[str, str]:
    nodes = tuple(Node(number, 21_000 + number, 22_000 + number) for number in range(1, count + 1))
    layout = Layout(Path("/data"), Path("/jars"), Path("/java"), nodes)
    text = kafka.properties(layout, nodes[0], Path("/data/node-1/data"))
    return dict(line.split("=", 1) for line in text.splitlines())


def test_one_broker_keeps_one_copy_and_needs_one() -> None:
    alone = properties(1)
    assert alone["controller.quorum.voters"] == "1@127.0.0.1:22001"
    assert alone["advertised.listeners"] == "PLAINTEXT://127.0.0.1:21001"
    assert alone["offsets.topic.replication.factor"] == alone["min.insync.replicas"] == "1"


def test_three_brokers_keep_three_copies_and_need_two() -> None:
    three = properties(3)
    assert three["controller.quorum.voters"] == "1@127.0.0.1:22001,2@127.0.0.1:22002,3@127.0.0.1:22003"
    assert three["transaction.state.log.replication.factor"] == "3"
    assert three["min.insync.replicas"] == three["transaction.state.log.min.isr"] == "2"


def test_behind_proxies_brokers_and_controllers_are_found_there_and_listen_elsewhere() -> None:
    nodes = kafka.nodes(2, behind_proxies=True)
    text = kafka.properties(Layout(Path("/d"), Path("/j"), Path("/java"), nodes), nodes[0], Path("/d/data"))
    found = dict(line.split("=", 1) for line in text.splitlines())
    first, second = nodes
    assert found["advertised.listeners"] == f"PLAINTEXT://127.0.0.1:{first.advertised}"
    voters = (first.controller_advertised, second.controller_advertised)
    assert found["controller.quorum.voters"] == "1@127.0.0.1:{},2@127.0.0.1:{}".format(*voters)
    listeners = (first.port, first.controller_port)
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}".format(*listeners)
    assert len({port for node in nodes for port in node.ports}) == 8


def test_a_door_is_a_listener_of_its_own_and_is_named_to_those_who_come_in_by_it() -> None:
    (node,) = kafka.nodes(1, doors=["edge-1", "index"])
    text = kafka.properties(Layout(Path("/d"), Path("/j"), Path("/java"), (node,)), node, Path("/d/data"))
    found = dict(line.split("=", 1) for line in text.splitlines())
    edge, index = node.doors
    own = (node.port, edge.port, index.port, node.controller_port)
    listeners = (
        "PLAINTEXT://127.0.0.1:{},EDGE_1://127.0.0.1:{},INDEX://127.0.0.1:{},CONTROLLER://127.0.0.1:{}"
    )
    assert found["listeners"] == listeners.format(*own)
    named = (node.port, edge.advertised, index.advertised)
    advertised = "PLAINTEXT://127.0.0.1:{},EDGE_1://127.0.0.1:{},INDEX://127.0.0.1:{}"
    assert found["advertised.listeners"] == advertised.format(*named)
    protocols = "PLAINTEXT:PLAINTEXT,EDGE_1:PLAINTEXT,INDEX:PLAINTEXT,CONTROLLER:PLAINTEXT"
    assert found["listener.security.protocol.map"] == protocols
    assert found["listener.name.edge_1.num.network.threads"] == "1"
    assert len({port for port in node.ports if port}) == 6


@pytest.mark.parametrize("count", [1, 3])
def test_a_topic_is_made_on_purpose_or_not_at_all(count: int) -> None:
    assert properties(count)["auto.create.topics.enable"] == "false"


def test_nodes_have_ports_of_their_own() -> None:
    nodes = kafka.nodes(3, port=21_999)
    ports = [port for node in nodes for port in (node.port, node.controller_port)]
    assert nodes[0].port == 21_999
    assert len(set(ports)) == 6


def test_a_port_that_nobody_listens_on_is_no_broker() -> None:
    (node,) = kafka.nodes(1)
    assert not kafka.is_ready(node.address)


@pytest.mark.parametrize(("heap", "young"), [("640m", "384m"), ("256m", "153m"), ("2g", "1228m")])
def test_most_of_a_heap_is_for_what_is_young(heap: str, young: str) -> None:
    assert kafka.young(heap) == young
