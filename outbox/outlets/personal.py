"""A user's own ways out: quiet hours are kept, and many notifications at once go out as one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from control.outlets.notifying import Notifying, Quiet, read_quiet
from control.outlets.secrets import Secrets
from control.outlets.service import secret_about
from kernel.access.outward import Outward
from kernel.clock import Clock, to_rfc3339
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings
from outbox.forwarding.receivers import OF_USER
from outbox.outlets.outlet import Item, Outcome, Outlet
from outbox.outlets.webhook import Poster, Signed, payload


def digest_of(items: Sequence[Item]) -> dict[str, Any]:
    """What many notifications come to."""
    types = Counter(item.type for item in items)
    return {"count": len(items), "types": dict(types), "first": items[0].id, "last": items[-1].id}


class Personal:
    """What all of a user's ways out have in common."""

    digests = True
    at_once = 0

    def __init__(self, wishes: Notifying) -> None:
        try:
            self._quiet: Quiet | None = read_quiet(wishes.quiet) if wishes.quiet else None
        except TouchlineError:
            self._quiet = None  # a zone that there was once

    def hold_until(self, now_ms: int) -> int:
        """Quiet hours."""
        return 0 if self._quiet is None else self._quiet.until(now_ms)


class UserWebhook(Personal):
    """A user's own webhook: what comes in their notifications."""

    sort = "user_webhook"

    def __init__(self, wishes: Notifying, signed: Signed, poster: Poster) -> None:
        super().__init__(wishes)
        self._url, self._signed, self._poster = wishes.webhook, signed, poster

    async def deliver(self, items: Sequence[Item]) -> Outcome:
        last = items[-1]
        body = payload(last, last.body) if len(items) == 1 else _digest(items)
        return await self._poster.post(self._url, body, self._signed.headers(last.id, body))


def _digest(items: Sequence[Item]) -> bytes:
    at = to_rfc3339(items[-1].at_ms)
    return msgspec.json.encode({"type": "digest", "timestamp": at, "data": digest_of(items)})


def ways_of_users(
    settings: Settings,
    clock: Clock,
    poster: Poster,
    *,
    push: Callable[[Notifying, str], Outlet] | None,
) -> Callable[[str, Notifying], Mapping[str, Outlet]]:
    """Makes a user's ways out of what they want; `push`: where there is a key for it."""
    secrets, outward = Secrets(settings.auth), Outward(settings)

    def ways(name: str, wishes: Notifying) -> dict[str, Outlet]:
        found: dict[str, Outlet] = {}
        try:
            if wishes.webhook and settings.outbox.user_webhooks:
                outward.check(wishes.webhook)
                secret = secrets.open(wishes.secret, secret_about(wishes.user))
                found[f"{OF_USER}h:{name}"] = UserWebhook(wishes, Signed(secret, clock), poster)
            if wishes.push and push is not None:
                subscription = secrets.open(wishes.push, secret_about(wishes.user))
                found[f"{OF_USER}p:{name}"] = push(wishes, subscription)
        except (TouchlineError, ValueError):
            return found  # sealed by a secret that roles do not have any more
        return found

    return ways
