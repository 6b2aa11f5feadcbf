"""Log lines about what somebody sends: of one reason one a second, with how many others there were."""

from typing import TYPE_CHECKING, Any, Final

from kernel.clock import Clock, SystemClock
from kernel.process.logs import get_logger

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger as Logger

_EVERY_S: Final = 1.0
#: Reasons that are remembered; they are ours (sentences, topics), and so few.
_MOST: Final = 1000


class Lines:
    """A logger for what comes as often as somebody likes: what is not said is counted, and the next tells."""

    def __init__(self, log: "Logger | str", clock: Clock | None = None) -> None:
        self._log = get_logger(log) if isinstance(log, str) else log
        self._clock = clock or SystemClock()
        #: Sentence and what it is about -> when it was last said, and how often it would have been since.
        self._said: dict[tuple[str, object], tuple[float, int]] = {}

    def warning(self, sentence: str, about: object = None, **fields: Any) -> None:
        """Say it, unless it was said of the same within a second. `about` is nothing that users name."""
        if (others := self._others(sentence, about)) is not None:
            self._log.warning(sentence, **fields, **({"others": others} if others else {}))

    def error(self, sentence: str, about: object = None, **fields: Any) -> None:
        """The same, of what should not be."""
        if (others := self._others(sentence, about)) is not None:
            self._log.error(sentence, **fields, **({"others": others} if others else {}))

    def _others(self, sentence: str, about: object) -> int | None:
        """How many there were that nobody said; None: this is one of them."""
        now, key = self._clock.monotonic(), (sentence, about)
        last, unsaid = self._said.get(key, (float("-inf"), 0))
        if now - last < _EVERY_S:
            self._said[key] = (last, unsaid + 1)
            return None
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[key] = (now, 0)
        return unsaid
