"""What goes with a room's events is nobody's where there is no such room: not the operator's either."""

from types import SimpleNamespace
from typing import Any

import pytest

from control.rooms.rooms import Rooms
from gateway.http.access import Reader
from kernel.access.tokens import Grants, everything
from kernel.log.positions import Stream
from kernel.settings.reading import Settings


@pytest.mark.parametrize("grants", [None, everything("root")])
async def test_of_a_room_that_is_no_more_nobody_has_anything(grants: Grants | None) -> None:
    state: Any = SimpleNamespace(rooms=Rooms(Settings()), may_read=lambda *_: True)
    reader = Reader(grants, state)
    assert not await reader.may_read(Stream.parse("chat:room-gone"), 7)
    assert await reader.may_read(Stream.parse("chat:final"), 7)
