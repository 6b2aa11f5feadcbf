"""Who may moderate: whoever leads a room, with a token that covers it."""

from types import SimpleNamespace
from typing import Any

import pytest

from control.rooms.rooms import Rooms
from control.rooms.service import Who
from gateway.moderation.moderators import must_lead
from kernel.access.tokens import Action, Grants
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings


@pytest.mark.parametrize(
    ("covered", "action", "code"),
    [
        ("chat:pub*", "publish", "forbidden"),
        ("chat:pub*", "history", "forbidden"),
        ("chat:*", "publish", "not_found"),
        ("chat:*", "history", "not_found"),
    ],
)
async def test_a_token_that_does_not_cover_a_room_moderates_nothing_there(
    covered: str, action: Action, code: str
) -> None:
    context: Any = SimpleNamespace(control_state=SimpleNamespace(rooms=Rooms(Settings())))
    grants = Grants(user="ana", can={"publish": (covered,), "history": (covered,)})
    with pytest.raises(TouchlineError) as refused:
        await must_lead(context, Who(grants), "room-study", action=action)
    assert refused.value.code == code
