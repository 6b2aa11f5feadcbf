"""What inputs do to states: once each, in whatever pieces they are read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.entity.fold import Change, EntityFold, Input, fold_input
from control.entity.known import Known
from control.entity.types import MAX_STATE_BYTES, Stamp, pair_key, source_of
from kernel.errors import TouchlineError
from tests.control.notes import Command, Note, note_fold, note_type

HOW = note_fold(note_type("notes"))
SOURCE = source_of("AbCdEfGhIjKl", 3)


class States:
    """States by key, as an owner has them."""

    def __init__(self) -> None:
        self.known: dict[bytes, Known[Note]] = {}

    def look(self, key: bytes) -> Known[Note]:
        return self.known.get(key, Known(None, Stamp()))

    def take(self, number: int, command: Command, *, writes: int | None = None, source: str = SOURCE) -> int:
        """Fold one; of what it writes only the first `writes` come to the log. Returns how many it wrote."""
        written = fold_input(HOW, Input(b"ana", command, 1000, source, number), self.look)
        for change in written[:writes]:
            self.known[change.key] = change.known
        return len(written)

    def note(self) -> Note:
        return self.look(b"ana").state or Note(user="ana")

    def told(self) -> dict[bytes, Any]:
        return {key: known.state and msgspec_without_stamp(known.state) for key, known in self.known.items()}


def msgspec_without_stamp(note: Note) -> Any:
    return (note.text, note.total, note.tags)


def test_an_input_at_or_below_the_place_changes_nothing() -> None:
    states = States()
    states.take(7, Command("set", "hello", 1))
    assert states.take(7, Command("set", "again", 1)) == 0
    assert states.take(6, Command("set", "late", 1)) == 0
    assert (states.note().text, states.note().total, states.note().revision) == ("hello", 1, 1)


def test_what_was_folded_is_not_refused_when_it_is_read_again() -> None:
    how: EntityFold[Note] = EntityFold(type=HOW.type, fold=_make_once)
    states = States()
    first = fold_input(how, Input(b"ana", None, 0, SOURCE, 0), states.look)
    states.known[b"ana"] = first[0].known
    assert fold_input(how, Input(b"ana", None, 0, SOURCE, 0), states.look) == []
    with pytest.raises(TouchlineError, match="there already"):
        fold_input(how, Input(b"ana", None, 0, SOURCE, 1), states.look)


def _make_once(given: Input, state: Any) -> list[Change[Note]]:
    if state(given.key) is not None:
        raise TouchlineError("bad_request", "It is there already.")
    return [Change(given.key, Note(user="ana"))]


def test_inputs_of_another_partition_or_of_a_topic_made_anew_have_places_of_their_own() -> None:
    states = States()
    states.take(100, Command("set", "a", 1))
    assert states.take(3, Command("set", "b", 1), source=source_of("AbCdEfGhIjKl", 4)) == 1
    assert states.note().places == {SOURCE: 101, source_of("AbCdEfGhIjKl", 4): 4}
    assert states.take(0, Command("set", "c", 1), source=source_of("zzzzzzzz", 3)) == 1
    assert states.note().places == {source_of("zzzzzzzz", 3): 1}
    assert (states.note().total, states.note().revision) == (3, 3)


def test_a_removed_state_remembers_its_place() -> None:
    states = States()
    states.take(1, Command("set", "a", 1))
    states.take(2, Command("remove"))
    assert states.look(b"ana").state is None
    assert states.take(1, Command("set", "a", 1)) == 0
    stamp = states.look(b"ana").stamp
    assert Stamp.from_header(stamp.to_header()) == stamp


@pytest.mark.parametrize("text", [b"", b"\xff", b"x;y", b"1;a=b", b"1"])
def test_a_header_that_is_no_stamp_holds_against_nothing(text: bytes) -> None:
    assert not Stamp.from_header(text).covers(SOURCE, 0)


def test_a_state_that_would_be_too_large_refuses_its_input_and_leaves_what_was() -> None:
    states = States()
    states.take(1, Command("set", "small", 1))
    with pytest.raises(TouchlineError) as refused:
        states.take(2, Command("set", "x" * MAX_STATE_BYTES, 1))
    assert refused.value.code == "too_large"
    assert "'ana'" in refused.value.message
    assert states.note().text == "small"
    states.take(3, Command("set", "x" * (MAX_STATE_BYTES - 300), 1))
    assert states.note().total == 2


COMMANDS = st.lists(
    st.one_of(
        st.builds(Command, st.just("set"), st.sampled_from("ab"), st.integers(1, 3)),
        st.builds(Command, st.sampled_from(["tag", "untag"]), st.sampled_from("xyz")),
        st.builds(Command, st.just("remove")),
    ),
    max_size=12,
)


@given(COMMANDS, st.data())
def test_a_crash_between_any_two_records_leaves_nothing_out_and_does_nothing_twice(
    commands: list[Command], data: st.DataObject
) -> None:
    whole, crashed = States(), States()
    for number, command in enumerate(commands):
        whole.take(number, command)
    begin = 0
    for number, command in enumerate(commands):
        if data.draw(st.booleans()):
            # Dies while this input's records are on their way, and goes on from an earlier commit.
            crashed.take(number, command, writes=data.draw(st.integers(0, 2)))
            begin = data.draw(st.integers(begin, number))
            for again in range(begin, number):
                crashed.take(again, commands[again])
        crashed.take(number, command)
    assert crashed.told() == whole.told()


def test_a_pair_lies_with_its_entity() -> None:
    assert HOW.type.entity_of(pair_key("ana", "a tag")) == b"ana"
