"""How far an erased user and their devices were is forgotten."""

from typing import Any

import msgspec

from control.entity.fold import Input
from control.inbox.places import Ack, AckedByDevice, Places, ReadStream, fold_places, places_key
from control.moderation.orders import EVERYWHERE
from kernel.log.records import Record
from schemas.codec import Codec
from streams.owned.moderators import erased_in


def test_places_of_an_erased_user_and_their_devices_are_forgotten() -> None:
    records: dict[bytes, Places] = {}

    def fold(at: int, **said: Any) -> None:
        value = msgspec.to_builtins(Ack(user="eve", **said))
        changes = fold_places(Input(b"eve", value, at, "s", at), records.get)
        records.update({key: state for key, state in changes if state is not None})

    fold(1, devices=(AckedByDevice("d1", {"chat:room-a": 5}),), read=(ReadStream("chat:room-a", 5, 2),))
    assert any(record.streams for record in records.values())
    fold(2, forget_places=True)
    assert not any(record.streams for record in records.values())
    assert records[places_key("eve", 0)].devices == ()
    fold(3, devices=(AckedByDevice("d1", {"chat:room-b": 2}),), read=(ReadStream("chat:room-a", 7, 3),))
    places = {one.stream: (one.read, len(one.acked)) for record in records.values() for one in record.streams}
    assert places == {"chat:room-a": (7, 0), "chat:room-b": (0, 1)}


def test_who_is_erased_is_read_off_the_inputs() -> None:
    codec = Codec("control")

    def record(key: str, command: str, arguments: str) -> Record:
        value = codec.encode(
            {"command": command, "id": None, "actor": None, "at": None, "arguments": arguments}
        )
        return Record(0, 5, key.encode(), value, None)

    records = [
        record(EVERYWHERE, "erase_user", '{"user":"eve"}'),
        record(EVERYWHERE, "erase_user", "{}"),
        record("talk", "erase_user", '{"user":"bob"}'),
        record("talk", "moderate", '{"do":"mute","user":"erase_user"}'),
    ]
    assert list(erased_in(records, codec.decode)) == ["eve"]
