"""Documents: what is searched; edits and retractions come out the same in whatever order they are read."""

from itertools import permutations

import msgspec
import pytest

from kernel.log.positions import Kind
from search_indexer.indexing.documents import (
    Change,
    Document,
    broadcast_text,
    changed,
    indexable,
    shallow,
    shown,
    source_of,
)
from search_indexer.text.folding import Folding
from tests.accepted import chat, event

FOLDING = Folding()


def target() -> Document:
    return indexable(Kind.CHAT, chat("final", 1, "Nice goal"), FOLDING).document


def test_a_broadcast_is_found_by_its_type_and_every_text_in_its_data() -> None:
    made = indexable(
        Kind.BROADCAST,
        event(Kind.BROADCAST, "final", 1, {"team": "KOR", "minute": 12, "by": [{"name": "손흥민"}]}),
        FOLDING,
    )
    assert made.source == "goal · KOR · 손흥민"
    assert made.document.data == {"team": "KOR", "minute": 12, "by": [{"name": "손흥민"}]}


def test_a_location_has_its_place() -> None:
    made = indexable(Kind.LOCATION, event(Kind.LOCATION, "user-7", 1, {"lat": 51.5, "lon": -0.2}), FOLDING)
    assert made.document.where == (-0.2, 51.5)  # GeoJSON's order
    assert made.source == ""


def test_the_version_of_a_document_is_the_seq_of_what_shaped_it_last() -> None:
    before = target()
    after = changed(before, Change(before.stream, before.seq + 5, "", "ana", "Great goal"), FOLDING)
    action = msgspec.json.decode(source_of("i", "7", after).splitlines()[0])
    assert action["index"] == {
        "_index": "i",
        "_id": "7",
        "version": before.seq + 5,
        "version_type": "external",
    }


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_changes_in_any_order_leave_the_same(order: tuple[int, ...]) -> None:
    before = target()
    changes = [
        Change(before.stream, before.seq + 1, "", "ana", "first edit"),
        Change(before.stream, before.seq + 2, "", "ana", "second edit"),
        Change(before.stream, before.seq + 3, "", "eve", "not hers to edit"),
        Change("chat:other", before.seq + 4, "", "ana", None),
    ]
    document = before
    for i in (*order, *order):  # and read twice
        document = changed(document, changes[i], FOLDING)
    assert (document.edited, document.text, document.hidden) == ("second edit", "second edit", False)
    assert msgspec.json.decode(shown(document))["data"] == {"text": "second edit"}
    assert document.body == before.body  # history shows what happened


def test_a_retraction_stays_whatever_edit_follows() -> None:
    before = target()
    retracted = changed(before, Change(before.stream, before.seq + 1, "", "mod", None), FOLDING)
    after = changed(retracted, Change(before.stream, before.seq + 2, "", "ana", "again"), FOLDING)
    assert after == retracted
    assert (after.hidden, after.text, after.words) == (True, "", "")


def test_a_change_cannot_be_changed() -> None:
    edit = indexable(
        Kind.CHAT, event(Kind.CHAT, "final", 2, {"text": "x", "target": "1"}, type_="edit"), FOLDING
    )
    assert edit.document.hidden
    assert edit.document.text == ""
    assert edit.change == Change("chat:final", edit.document.seq, "1", "ana", "x")
    assert changed(edit.document, Change("chat:final", 9 << 43, "", "ana", "y"), FOLDING) == edit.document


def test_data_too_deep_or_with_names_that_elasticsearch_refuses_is_left_out() -> None:
    deep: object = "x"
    for _ in range(30):
        deep = {"a": deep}
    assert msgspec.json.encode(shallow(deep)).count(b'"a"') == 10
    assert shallow({"": 1, ".": 2, "a\0": 3, "ok": [{"b": 1}]}) == {"ok": [{"b": 1}]}
    assert broadcast_text("t", {"a": ["x", {"b": "y"}], "c": 5}) == "t · x · y"


def test_what_users_are_told_is_in_history_and_not_found() -> None:
    made = indexable(Kind.BROADCAST, event(Kind.BROADCAST, "notify-ana", 1, {"by": "ben"}), FOLDING)
    assert made.document.hidden
    assert (made.source, made.document.words, made.document.data) == ("", "", None)
    assert b'"by":"ben"' in shown(made.document)
