"""Tokens that count no more although they have not run out, as `touchline.control` says."""

import json
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from kernel.access.tokens import Grants

#: What keys of such records start with; no channel's name does.
PREFIX: Final = "revoke:"
COMMAND: Final = "revoke"
#: Users of whom tokens are revoked; beyond, the longest known are forgotten: their tokens have run out.
MAX_USERS: Final = 100_000


class Revocations:
    """User -> the moment (seconds since 1970) before which tokens were issued that count no more."""

    def __init__(self) -> None:
        self._before: OrderedDict[str, float] = OrderedDict()
        #: Called with the user whose tokens were revoked.
        self.on_revoke: list[Callable[[str], None]] = []

    @staticmethod
    def wants(key: bytes) -> bool:
        """Whether a record of the control topic is about tokens."""
        return key.startswith(PREFIX.encode())

    def learn(self, key: str, arguments: str | None) -> str | None:
        """Take a record of the control topic; returns the user if it revokes tokens."""
        if not key.startswith(PREFIX):
            return None
        user = key.removeprefix(PREFIX)
        try:
            before = float(json.loads(arguments or "{}")["before"])
        except (ValueError, KeyError, TypeError):
            return None
        if not math.isfinite(before):
            return None
        self._before[user] = max(before, self._before.get(user, 0.0))
        self._before.move_to_end(user)
        if len(self._before) > MAX_USERS:
            self._before.popitem(last=False)
        for tell in self.on_revoke:
            tell(user)
        return user

    def covers(self, grants: Grants) -> bool:
        """Whether these grants are revoked. A token that does not say when it was issued is an old one."""
        before = self._before.get(grants.user)
        return before is not None and grants.by_token and (grants.issued_s or 0.0) < before
