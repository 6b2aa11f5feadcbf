"""How the gateway gives commands about follows, and what is known of a user there."""

from collections.abc import Iterator, Mapping
from typing import Any

from control.feeds.feeds import Feeds
from control.feeds.service import FeedService
from gateway.context import Context
from kernel.access.signing import Signer
from kernel.clock import to_rfc3339


def feed_service(context: Context) -> FeedService:
    """The follows of this gateway."""

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    settings = context.settings
    return FeedService(
        *(context.control_state, command, Signer(settings.auth)), most=settings.limits.follows_of_a_user
    )


def known_of(feeds: Feeds, user: str) -> Iterator[dict[str, Any]]:
    """All that is known of a user here, for who asks for their data."""
    for follow in feeds.all_follows_of(user):
        yield {"what": "follow", "channel": follow.channel, "since": to_rfc3339(follow.since)}
