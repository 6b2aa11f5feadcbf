"""What a role says of itself: live, ready, and why not."""


class Health:
    """Named conditions of a process. It is ready when all that it has declared hold."""

    def __init__(self, *conditions: str) -> None:
        self._not_yet: dict[str, str] = dict.fromkeys(conditions, "not yet")

    def ok(self, condition: str) -> None:
        """This condition holds (again)."""
        self._not_yet.pop(condition, None)

    def fail(self, condition: str, why: str) -> None:
        """This condition does not hold, for this reason."""
        self._not_yet[condition] = why

    @property
    def ready(self) -> bool:
        return not self._not_yet

    @property
    def problems(self) -> dict[str, str]:
        """Condition -> why it does not hold."""
        return dict(self._not_yet)
