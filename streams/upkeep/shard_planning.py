"""How many shards a channel should have for its audience, and which of its versions nobody needs. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from control.channels.channel import ChannelRecord


class Policy(NamedTuple):
    """The bounds and thresholds, from the settings."""

    viewers_per_shard: int
    max_shards: int
    #: A version stays at least so long; also how long an audience must be small before shards are taken.
    hold_ms: int


def wanted_shards(record: ChannelRecord, viewers: int, policy: Policy) -> int:
    """So many as the audience needs. It takes less than half of what the shards could hold to have fewer.

    Without that gap an audience at the edge of a threshold would be moved back and forth.
    """
    low = record.settings.min_shards or 1
    high = record.settings.max_shards or policy.max_shards
    needed = -(-viewers // policy.viewers_per_shard)
    now = record.newest.shards
    if needed <= now and 2 * viewers >= (now - 1) * policy.viewers_per_shard:
        needed = now
    return max(low, min(high, needed))


def reshard_due(record: ChannelRecord, viewers: int, now_ms: int, policy: Policy) -> int | None:
    """The shard count to move to, or None. The newest version must have held for a while, and be the only
    one: no third version is opened while viewers are still moving to the second."""
    if now_ms < record.newest.since + policy.hold_ms or len(record.live) > 1:
        return None
    wanted = wanted_shards(record, viewers, policy)
    return None if wanted == record.newest.shards else wanted


def is_due(
    record: ChannelRecord,
    viewers: int,
    viewers_by_version: Mapping[int, int],
    now_ms: int,
    policy: Policy,
) -> bool:
    """Whether there is anything to do about a channel's shards."""
    return reshard_due(record, viewers, now_ms, policy) is not None or bool(
        retirable(record, viewers_by_version, now_ms, policy)
    )


def retirable(
    record: ChannelRecord, viewers_by_version: Mapping[int, int], now_ms: int, policy: Policy
) -> list[int]:
    """Live versions that their last viewer has left, once the newest has been there for a while."""
    if now_ms < record.newest.since + policy.hold_ms:
        return []
    return [
        v.version
        for v in record.live
        if v.version != record.newest.version and not viewers_by_version.get(v.version)
    ]
