"""What a channel's settings forbid: who may publish, what may be said, how often. Pure, by append time."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from control.channels.channel import Settings
from control.moderation.moderation import muted
from control.moderation.sanctions import Sanction
from control.moderation.words import MAX_LOOKED_AT, Blocked, blocked_words
from kernel.errors import TouchlineError
from kernel.fairness.paces import Paces
from kernel.log.positions import Kind
from kernel.log.records import OFFICE, Headers
from schemas.checks import CHANGES, OF_OFFICE

#: A year: what a rate of nearly nothing comes to.
_LONGEST_MS: Final = 366 * 24 * 3600 * 1000.0
#: What is decided of a user in this channel.
SanctionOf = Callable[[str], Sanction | None]
#: A rate allows for a burst of so many seconds' worth.
_BURST_S: Final = 2.0


def of_office(headers: Headers | None) -> bool:
    """Whether a door has let somebody post this who may change what others have said."""
    return any(name == OFFICE for name, _ in headers or ())


def _above_0(value: float) -> bool:
    """A record that something else has written may say what no command may."""
    return math.isfinite(value) and value > 0


class Guard:
    """A channel's settings, ready to be asked for each event of one kind."""

    def __init__(
        self, kind: Kind, channel: str, settings: Settings, sanction_of: SanctionOf | None = None
    ) -> None:
        """`sanction_of` is there where somebody was ever muted or banned."""
        self._channel, self._sanction_of = channel, sanction_of
        self._publishers = frozenset(settings.publishers)
        chat = kind is Kind.CHAT
        self._members = frozenset(settings.members) if chat and settings.members_only else None
        self._max_text = settings.max_text if chat else None
        self._blocked = blocked_words(settings.blocked) if chat and any(settings.blocked) else None
        #: (interval, burst, what to say), in milliseconds. The first one may be that of slow mode.
        self._paces: list[tuple[float, float, str]] = []
        #: Slow mode is for what is said: to correct that, or to take it back, nobody waits.
        self._slow = False
        if settings.slow_s is not None and chat and _above_0(settings.slow_s):
            self._paces.append((settings.slow_s * 1000, 0.0, "The channel is in slow mode"))
            self._slow = True
        rate = settings.rate_per_s
        if rate is not None and settings.rate_binds_producers and _above_0(rate):
            interval = min(1000 / rate, _LONGEST_MS)
            self._paces.append((interval, max(interval, _BURST_S * 1000) - interval, "Too many events"))

    @property
    def idle(self) -> bool:
        """Whether it forbids nothing."""
        return not (
            self._publishers
            or self._members is not None
            or self._max_text is not None
            or self._blocked
            or self._paces
            or self._sanction_of is not None
        )

    def check(
        self, event: Mapping[str, Any], append_ms: int, paces: Paces, headers: Headers | None = None
    ) -> None:
        """Raise `muted`, `forbidden`, `moderated`, `too_large` or `rate_limited` where the event is not
        allowed. What an administrator takes back or pins is: they need not be one of those who publish."""
        if event["type"] in OF_OFFICE and of_office(headers):
            return
        sender = event["sender"]
        if self._sanction_of is not None and sender is not None:
            one = self._sanction_of(sender)
            if one is not None and one.muted_at(append_ms):
                raise muted(self._channel)
        if self._publishers and sender not in self._publishers:
            raise TouchlineError("forbidden", f"{self._who(sender)} may not publish in this channel.")
        if self._members is not None and sender not in self._members:
            raise TouchlineError("forbidden", f"{self._who(sender)} is not a member of this channel.")
        if self._max_text is not None and len(event["data"]["text"]) > self._max_text:
            raise TouchlineError(
                "too_large", f"A text in this channel has at most {self._max_text} characters."
            )
        if self._blocked is not None:
            _look_for(self._blocked, event["data"]["text"])
        changes = self._slow and event["type"] in CHANGES
        for number, (_, burst, why) in enumerate(self._paces):
            if changes and number == 0:
                continue
            wait = paces.wait(self._key(number, sender), append_ms, burst)
            if wait > 0:
                raise TouchlineError("rate_limited", f"{why}: post again in {wait / 1000:.1f} s.")

    def count(self, sender: str | None, append_ms: int, paces: Paces, *, changes: bool) -> None:
        """An event was accepted; one that `changes` another is none for slow mode."""
        for number, (interval, _, _) in enumerate(self._paces):
            if changes and self._slow and number == 0:
                continue
            paces.count(self._key(number, sender), append_ms, interval)

    def _key(self, number: int, sender: str | None) -> str:
        return f"{number}\0{self._channel}\0{sender or ''}"

    @staticmethod
    def _who(sender: str | None) -> str:
        return "An event without a sender" if sender is None else sender[:80]


def _look_for(blocked: Blocked, text: str) -> None:
    if len(text) > MAX_LOOKED_AT:
        raise TouchlineError(
            "too_large", f"Where words are blocked, a text has at most {MAX_LOOKED_AT:,} characters."
        )
    if blocked.in_(text):
        raise TouchlineError("moderated", "The text has a word that this channel does not allow.")
