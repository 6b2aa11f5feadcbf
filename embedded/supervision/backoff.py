"""When to start a process again that has died: at once after a long life, ever later after short ones."""

from dataclasses import dataclass
from typing import Final

FIRST_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 30.0
#: A process that has lived so long is sound: its next death is the first one.
STABLE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Backoff:
    """How often in a row a process has died young."""

    deaths: int = 0

    def after_death(self, lived_seconds: float) -> "Backoff":
        """The back-off after a process that had lived so long has died."""
        return Backoff(1 if lived_seconds >= STABLE_SECONDS else self.deaths + 1)

    @property
    def wait_seconds(self) -> float:
        """How long to wait before it is started again."""
        # The exponent is bounded too: 2.0 ** 1100 is an error.
        return min(FIRST_SECONDS * 2.0 ** min(self.deaths - 1, 16), LONGEST_SECONDS)
