"""How often, and how far, a channel's admin may spread its viewers anew. Pure."""

from typing import Final

from control.channels.channel import MAX_LIVE, MAX_LIVE_SHARDS, ChannelRecord
from kernel.errors import TouchlineError
from kernel.fairness.budgets import RateLimitedError

#: Between two reshards of a channel: its viewers move, and a version lives until its last viewer has left it.
RESHARD_EVERY_MS: Final = 5000


def check_reshard(record: ChannelRecord, shards: int, at_ms: int) -> None:
    """Raise `rate_limited` or `limit_reached` where the channel cannot have so many now."""
    if shards == record.newest.shards and record.newest.until is None:
        return
    wait = record.newest.since + RESHARD_EVERY_MS - at_ms
    if record.newest.since and wait > 0:
        raise RateLimitedError(f"{record.channel} was resharded a moment ago.", wait / 1000)
    total = sum(version.shards for version in record.live) + shards
    if len(record.live) >= MAX_LIVE or total > MAX_LIVE_SHARDS:
        raise TouchlineError(
            "limit_reached",
            f"{record.channel} would have {len(record.live) + 1} live versions with {total} shards; at most"
            f" {MAX_LIVE} with {MAX_LIVE_SHARDS} are allowed: wait until viewers have left the older ones.",
        )
