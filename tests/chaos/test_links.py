"""A link of the schedule is the wires that it names, and a wire is as bad as the worst said of it."""

import pytest

from chaos.faults.links import LINKS, ROLES, WIRES, Behaviour, behaviour, whose, wires

CUT, SLOW, HALF_OPEN, PASS = Behaviour("cut"), Behaviour("slow", 100), Behaviour("half_open"), Behaviour()


def test_a_broker_s_link_is_everybody_s_way_to_it_and_a_role_s_link_only_its_own() -> None:
    assert wires("to:gateway") == ["*>gateway"]
    assert wires("to:kafka-2") == ["*>kafka-2", *(f"{role}>kafka-2" for role in ROLES)]
    assert wires("edge-1>kafka") == ["edge-1>kafka-1", "edge-1>kafka-2", "edge-1>kafka-3"]
    assert wires("index>kafka-3") == ["index>kafka-3"]
    assert "gateway>elasticsearch" in wires("to:elasticsearch")
    assert wires("gateway>elasticsearch") == ["gateway>elasticsearch"]


def test_every_link_has_wires_and_every_wire_is_in_a_link() -> None:
    assert all(wires(link) for link in LINKS)
    assert {wire for link in LINKS for wire in wires(link)} == set(WIRES)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, PASS),
        ({"edge-1>kafka": CUT}, CUT),
        ({"edge-2>kafka": CUT}, PASS),
        ({"edge-1>kafka": CUT, "to:kafka-2": SLOW}, CUT),
        # The one is over, and the other goes on.
        ({"edge-1>kafka": PASS, "to:kafka-2": SLOW}, SLOW),
        ({"edge-1>kafka-2": Behaviour("slow", 400), "to:kafka-2": SLOW}, Behaviour("slow", 400)),
        ({"edge-1>kafka-2": SLOW, "to:kafka-2": HALF_OPEN}, HALF_OPEN),
    ],
)
def test_a_wire_in_several_faults_is_as_bad_as_the_worst(
    said: dict[str, Behaviour], found: Behaviour
) -> None:
    assert behaviour("edge-1>kafka-2", said) == found


def test_a_fault_belongs_to_the_one_whose_way_it_is() -> None:
    assert whose("to:controller-2") == whose("to:kafka-2") == whose("kafka-2") == "kafka-2"
    assert whose("edge-1>kafka-2") == whose("edge-1>elasticsearch") == "edge-1"
