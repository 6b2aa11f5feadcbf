"""How much may be under way at once, for each user and in all: what is large is held so many times. Pure."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from kernel.budgets import RateLimitedError
from kernel.errors import TouchlineError


class Slots:
    """Places for what is under way."""

    def __init__(self, what: str, *, each: int, in_all: int) -> None:
        self._what, self._each, self._in_all = what, each, in_all
        self._taken = 0
        self._of_users: Counter[str] = Counter()

    @contextmanager
    def slot(self, user: str | None) -> Iterator[None]:
        """A place, until this is left. Raises `rate_limited` for a user with too many, else `unavailable`."""
        if user is not None and self._of_users[user] >= self._each:
            raise RateLimitedError(
                f"{self._each} {self._what} are on their way to you: take these first.", 1.0
            )
        if self._taken >= self._in_all:
            raise TouchlineError(
                "unavailable", f"Too many {self._what} are under way: try again in a moment."
            )
        self._taken += 1
        if user is not None:
            self._of_users[user] += 1
        try:
            yield
        finally:
            self._taken -= 1
            if user is not None:
                self._of_users[user] -= 1
                if not self._of_users[user]:
                    del self._of_users[user]
