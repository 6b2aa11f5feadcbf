"""Whether anything of a channel was taken back is remembered, and true all the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control.entity.stores.opening import open_store
from control.entity.stores.store import Row, Store
from control.entity.types import AnyType
from control.entity.view import View
from control.moderation.moderation import Moderation
from control.moderation.retractions import Retraction, retraction_key
from control.moderation.table import retraction_type
from kernel.clock import SystemClock
from kernel.settings.reading import Settings

SETTINGS = Settings()
TYPE = retraction_type(SETTINGS)


class Views:
    """Tables on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.by_name: dict[str, View[Any]] = {}

    def view(self, type_: AnyType) -> View[Any]:
        view = self.by_name[type_.name] = View(type_)
        view.open(self._store)
        return view


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    names = {each.name: "id" for each in Moderation(SETTINGS, SystemClock()).types}
    made = open_store("sqlite", tmp_path / "role-0.db", names, anew=False)
    made.finish_load({name: {0: 0} for name in names})
    yield made
    made.close()


def put(store: Store, channel: str, event: str) -> bytes:
    """What the follower does before it tells of it."""
    key = retraction_key(channel, event)
    value = TYPE.encode(Retraction(channel=channel, event=event, seq=1, at=1))
    store.apply({TYPE.name: [Row(key, 0, 0, None, value)]}, {TYPE.name: {0: 1}})
    return key


def test_who_asked_before_learns_of_the_first_retraction_and_lanes_are_their_channels(store: Store) -> None:
    moderation, views = Moderation(SETTINGS, SystemClock()), Views(store)
    moderation.open(views)  # type: ignore[arg-type]
    heard: list[tuple[str, str]] = []
    moderation.on_retraction.append(lambda channel, event: heard.append((channel, event)))
    channels = ("final", "final~3", "other")
    assert not any(moderation.retracts_in(channel) for channel in channels)
    views.by_name[TYPE.name].changed({put(store, "final", "17")})
    assert [moderation.retracts_in(channel) for channel in channels] == [True, True, False]
    assert heard == [("final", "17")]


def test_what_is_known_is_not_read_again(store: Store) -> None:
    moderation, views = Moderation(SETTINGS, SystemClock()), Views(store)
    moderation.open(views)  # type: ignore[arg-type]
    assert not moderation.retracts_in("final")
    put(store, "final", "17")
    assert not moderation.retracts_in("final"), "nobody has told of it yet"


def test_what_was_read_while_it_changed_is_not_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    moderation, views = Moderation(SETTINGS, SystemClock()), Views(store)
    moderation.open(views)  # type: ignore[arg-type]
    view = views.by_name[TYPE.name]
    scan = view.scan

    def meanwhile(*given: Any, **more: Any) -> Any:
        found = scan(*given, **more)
        view.changed({put(store, "final", "17")})
        return found

    monkeypatch.setattr(view, "scan", meanwhile)
    moderation.retracts_in("final")  # it was read just before
    monkeypatch.undo()
    assert moderation.retracts_in("final")
