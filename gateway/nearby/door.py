"""How the gateway gives commands about friends, consent and fences."""

from collections.abc import Mapping
from typing import Any

from control.nearby.door import NearbyDoor
from gateway.context import Context
from kernel.access.signing import Signer


def nearby_door(context: Context) -> NearbyDoor:
    """The friends and fences of this gateway."""

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    state, settings = context.control_state, context.settings
    return NearbyDoor(
        *(state.consent, state.rooms, command, Signer(settings.auth)), max_fences=settings.nearby.max_fences
    )
