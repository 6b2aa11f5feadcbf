"""Tokens that count no more although they have not run out, as `touchline.control` says."""

import json
from collections import OrderedDict
from typing import Final

from kernel.tokens import Grants

#: What keys of such records start with; no channel's name does.
PREFIX: Final = "revoke:"
COMMAND: Final = "revoke"
#: Users of whom tokens are revoked; beyond, the longest known are forgotten: their tokens have run out.
MAX_USERS: Final = 100_000


class Revocations:
    """User -> the moment before which his tokens were issued that count no more, in seconds since 1970."""

    def __init__(self) -> None:
        self._before: OrderedDict[str, float] = OrderedDict()

    def learn(self, key: str, arguments: str | None) -> str | None:
        """Take a record of the control topic; returns the user if it revokes his tokens."""
        if not key.startswith(PREFIX):
            return None
        user = key.removeprefix(PREFIX)
        try:
            before = float(json.loads(arguments or "{}")["before"])
        except (ValueError, KeyError, TypeError):
            return None
        self._before[user] = max(before, self._before.get(user, 0.0))
        self._before.move_to_end(user)
        if len(self._before) > MAX_USERS:
            self._before.popitem(last=False)
        return user

    def covers(self, grants: Grants) -> bool:
        """Whether these grants are revoked. A token that does not say when it was issued is an old one."""
        before = self._before.get(grants.user)
        return before is not None and grants.by_token and (grants.issued_s or 0.0) < before
