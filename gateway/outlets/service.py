"""How the gateway gives commands about webhooks and notifications."""

from collections.abc import Iterator, Mapping
from typing import Any

from control.outlets.looking import Looks
from control.outlets.notifying import shown
from control.outlets.outlets import Outlets
from control.outlets.service import OutletService
from gateway.context import Context
from kernel.access.signing import Signer


def outlet_service(context: Context) -> OutletService:
    """The webhooks and wishes of this gateway."""

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    return OutletService(context.control_state, command, context.settings)


def looks_of(context: Context) -> Looks:
    """Says that somebody reads what they are told."""

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    return Looks(context.control_state, command, Signer(context.settings.auth))


def known_of(outlets: Outlets, user: str) -> Iterator[dict[str, Any]]:
    """All that is known of a user here, for who asks for their data."""
    wishes = outlets.notifying_of(user)
    if wishes.revision:
        yield {"what": "notifications", **shown(wishes)}
