"""States of streams: what is handed out to be kept, and when."""

from streams.fold.states import States


def test_a_state_is_handed_out_as_it_was_at_the_offset_that_is_committed() -> None:
    kept = {"a": "a0"}
    states = States[str](kept.get)
    assert (states.get("a"), states.get("b")) == ("a0", None)
    states.put("a", "a1", 3)
    states.put("b", "b1", 4)
    states.put("a", "a2", 5)
    assert states.get("a") == "a2"
    assert states.take(3) == {}, "nothing changed before it"
    kept |= (taken := states.take(5))
    assert taken == {"a": "a1", "b": "b1"}
    assert states.get("a") == "a2", "what is not handed out yet counts all the same"
    assert states.take(5) == {}, "once is enough"
    kept |= states.take(6)
    assert (states.get("a"), kept["a"]) == ("a2", "a2")


def test_what_was_handed_out_is_asked_for_again() -> None:
    """Nobody has to hold all streams: they are where they were kept."""
    asked: list[str] = []

    def kept(channel: str) -> str:
        asked.append(channel)
        return "kept"

    states = States[str](kept)
    states.put("a", "new", 1)
    assert states.get("a") == "new"
    assert asked == []
    states.take(2)
    assert states.get("a") == "kept"
    assert asked == ["a"]
