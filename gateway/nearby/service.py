"""How the gateway gives commands about friends, consent and fences, and what is known of a user there."""

from collections.abc import Iterator, Mapping
from typing import Any

from control.nearby.consent import Consent
from control.nearby.service import NearbyService, sharing_shown
from gateway.context import Context
from kernel.access.signing import Signer
from kernel.clock import to_rfc3339


def nearby_service(context: Context) -> NearbyService:
    """The friends and fences of this gateway."""

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    state, settings = context.control_state, context.settings
    return NearbyService(state.consent, state.rooms, command, Signer(settings.auth), settings.nearby)


def known_of(consent: Consent, user: str) -> Iterator[dict[str, Any]]:
    """All that is known of a user here, for who asks for their data."""
    yield {"what": "sharing", **sharing_shown(consent.sharing_of(user))}
    after = b""
    while page := consent.friends_of(user, after=after):
        after = page[-1][0]
        for _, friend in page:
            since = to_rfc3339(friend.since)
            yield {"what": "friend", "user": friend.friend, "state": friend.state, "since": since}
