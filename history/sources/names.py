"""Names of what lies in Elasticsearch: indices of a kind, day and generation; aliases; the state index.

A generation is one complete build of the index. A rebuild makes the next one beside it.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from kernel.log.positions import Kind

#: Documents of the state index: which generation is searched, and the watermarks.
LIVE: Final = "live"
_DAY_MS: Final = 24 * 60 * 60 * 1000


def state_index(prefix: str) -> str:
    """Where the indexers keep what they must not forget."""
    return f"{prefix}-state"


def alias(prefix: str, kind: Kind) -> str:
    """What searches of a kind read from: the live generation's indices."""
    return f"{prefix}-{kind}"


def generation_prefix(prefix: str, kind: Kind, generation: int) -> str:
    """What the names of a generation's indices of one kind start with."""
    return f"{prefix}-{kind}-g{generation}-"


def index_name(prefix: str, kind: Kind, generation: int, day: str) -> str:
    """The index of one day: `touchline-chat-g1-2026.06.11`."""
    return f"{prefix}-{kind}-g{generation}-{day}"


def day_of(ms: int) -> str:
    """The UTC day of an event's append time, as index names have it."""
    return _day(ms // _DAY_MS)


@lru_cache(maxsize=64)  # events come in the order of their days
def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(number * _DAY_MS // 1000, UTC):%Y.%m.%d}"


def building_id(generation: int) -> str:
    """Document id that a generation has in the state index while it is built beside the live one."""
    return f"building-g{generation}"


def watermark_id(generation: int, kind: Kind, partition: int, topic_id: str) -> str:
    """Document id of a partition's watermark.

    The topic's own id is in it: a topic that was deleted and made anew starts again at offset 0.
    """
    return f"watermark-g{generation}-{kind}-{partition}-{topic_id}"
