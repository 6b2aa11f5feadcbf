"""Which webhooks are about a stream, by how their patterns begin: there may be a thousand of fifty each."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from control.outlets.webhooks import Webhook
from kernel.access.tokens import matches
from kernel.access.users import NOTIFY, name_in_channel
from kernel.log.positions import Kind

_ANY: Final = "*:"


class Covering:
    """The webhooks that there are."""

    def __init__(self) -> None:
        self._webhooks: dict[str, Webhook] = {}
        #: What a pattern begins with, up to its first star -> patterns -> whose they are.
        self._begins: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        #: Users, as they stand in channels -> whose webhooks have their notifications.
        self._users: defaultdict[str, set[str]] = defaultdict(set)

    def get(self, id_: str) -> Webhook | None:
        """The webhook of this id."""
        return self._webhooks.get(id_)

    def __iter__(self) -> Iterator[Webhook]:
        return iter(list(self._webhooks.values()))

    def put(self, webhook: Webhook) -> None:
        """There is one, or it is another now."""
        self.drop(webhook.id)
        self._webhooks[webhook.id] = webhook
        for pattern in webhook.streams:
            for begin in _begins(pattern):
                self._begins[begin][pattern].add(webhook.id)
        for user in webhook.users:
            self._users[name_in_channel(user)].add(webhook.id)

    def drop(self, id_: str) -> Webhook | None:
        """It is no more."""
        webhook = self._webhooks.pop(id_, None)
        if webhook is None:
            return None
        for pattern in webhook.streams:
            for begin in _begins(pattern):
                _take(self._begins[begin], pattern, id_)
                if not self._begins[begin]:
                    del self._begins[begin]
        for user in webhook.users:
            _take(self._users, name_in_channel(user), id_)
        return webhook

    def about(self, kind: Kind, channel: str) -> list[str]:
        """The ids of those that have events of this channel posted, in an order that stays."""
        stream, found = f"{kind}:{channel}", set[str]()
        for length in range(len(stream) + 1):
            for pattern, ids in self._begins.get(stream[:length], {}).items():
                if not ids <= found and matches(pattern, stream):
                    found |= ids
        if kind is Kind.BROADCAST and channel.startswith(NOTIFY):
            found |= self._users.get(channel.removeprefix(NOTIFY), set())
        return sorted(found)


def _begins(pattern: str) -> list[str]:
    """What the streams that it covers begin with: with a star for the kind, one for each."""
    if pattern.startswith(_ANY):
        rest = pattern.removeprefix(_ANY).partition("*")[0]
        return [f"{kind}:{rest}" for kind in Kind]
    return [pattern.partition("*")[0]]


def _take(sets: dict[str, set[str]], name: str, id_: str) -> None:
    sets[name].discard(id_)
    if not sets[name]:
        del sets[name]
