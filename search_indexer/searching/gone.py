"""What no hit may be, though the index may still have it: what was taken back, or is of somebody erased."""

from collections.abc import Sequence
from typing import Any, Final

from history.taken_back import TakenBack, head_of
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
        return [hit["_id"] for hit in hits if self._is_gone(hit)]

    def without(self, hits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The hits that may be shown."""
        return [hit for hit in hits if not self._is_gone(hit)]

    def _is_gone(self, hit: dict[str, Any]) -> bool:
        if self.taken_back is None:
            return False
        head, stream = head_of(hit["_source"]["body"].encode()), Stream.parse(hit["_source"]["stream"])
        return head is not None and self.taken_back.is_gone(stream, head)
