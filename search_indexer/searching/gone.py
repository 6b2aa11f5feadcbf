"""What no hit may be, though the index may still have it: what was taken back, or is of somebody erased."""

from collections.abc import Sequence
from typing import Any, Final

from history.retractions import TakenBack, head_of
from kernel.access.users import user_channel
from kernel.log.positions import Stream

#: Users whose data were erased that a query leaves out; of others the hits are looked at.
_MOST: Final = 500


def of_user(user: str) -> dict[str, Any]:
    """The filter for what a user has posted; in their own channel nobody else does."""
    theirs = [{"term": {"sender": user}}, {"term": {"channel": user_channel(user)}}]
    return {"bool": {"should": theirs, "minimum_should_match": 1}}


class Gone:
    """For one search."""

    def __init__(self, taken_back: TakenBack | None) -> None:
        self.taken_back = taken_back

    def erased(self) -> list[dict[str, Any]]:
        """What a query leaves out."""
        users = [] if self.taken_back is None else self.taken_back.moderation.erased()[-_MOST:]
        return [
            {"bool": {"filter": [of_user(one.user), {"range": {"at": {"lte": one.erased}}}]}} for one in users
        ]

    def among(self, hits: Sequence[dict[str, Any]]) -> list[str]:
        """The ids of those hits that may not be shown."""
        return [hit["_id"] for hit, gone in zip(hits, self._gone(hits), strict=True) if gone]

    def without(self, hits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The hits that may be shown."""
        return [hit for hit, gone in zip(hits, self._gone(hits), strict=True) if not gone]

    def _gone(self, hits: Sequence[dict[str, Any]]) -> list[bool]:
        """Asked stream by stream, not hit by hit: an export has many of few streams."""
        found = [False] * len(hits)
        if self.taken_back is None:
            return found
        by_stream: dict[str, list[int]] = {}
        for number, hit in enumerate(hits):
            by_stream.setdefault(hit["_source"]["stream"], []).append(number)
        for name, numbers in by_stream.items():
            stream = Stream.parse(name)
            if self.taken_back.asks_about(stream):
                heads = [head_of(hits[number]["_source"]["body"].encode()) for number in numbers]
                for number, gone in zip(numbers, self.taken_back.gone_of(stream, heads), strict=True):
                    found[number] = gone
        return found
