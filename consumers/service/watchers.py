"""Whose subscriptions there are, found by channel and by shard: what concerns few does not walk over all."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from consumers.delivery.hub import Audience
from consumers.delivery.subscription import Subscription
from consumers.protocol.session import Member
from kernel.log.positions import Shard, split_lane

K = TypeVar("K")


class Watchers:
    """Audience -> its subscriptions with their members; audiences by their channel and by their shard."""

    def __init__(self) -> None:
        self._of: dict[Audience, dict[Subscription, Member]] = {}
        self._by_channel: dict[str, dict[Audience, None]] = {}
        self._by_shard: dict[Shard, dict[Audience, None]] = {}

    def add(self, subscription: Subscription, member: Member) -> None:
        audience = subscription.audience
        found = self._of.get(audience)
        if found is None:
            found = self._of[audience] = {}
            self._by_channel.setdefault(_channel(audience), {})[audience] = None
            self._by_shard.setdefault(audience.shard, {})[audience] = None
        found[subscription] = member

    def discard(self, subscription: Subscription) -> None:
        audience = subscription.audience
        found = self._of.get(audience)
        if found is None or found.pop(subscription, None) is None or found:
            return
        del self._of[audience]
        _remove(self._by_channel, _channel(audience), audience)
        _remove(self._by_shard, audience.shard, audience)

    def of(self, audiences: Iterable[Audience]) -> list[tuple[Subscription, Member]]:
        """All subscriptions of these audiences; a list, because acting on one may end it."""
        return [entry for audience in audiences for entry in self._of.get(audience, {}).items()]

    def audiences_of(self, channel: str) -> list[Audience]:
        """Those of a channel and of its lanes."""
        return list(self._by_channel.get(channel, ()))

    def shards(self) -> Iterator[tuple[Shard, list[Audience]]]:
        """Every shard that is watched, with its audiences."""
        for shard in list(self._by_shard):
            yield shard, list(self._by_shard.get(shard, ()))


def _channel(audience: Audience) -> str:
    return split_lane(audience.shard.channel)[0]


def _remove(index: dict[K, dict[Audience, None]], key: K, audience: Audience) -> None:
    found = index[key]
    del found[audience]
    if not found:
        del index[key]
