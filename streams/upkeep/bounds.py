"""Ends the friendships and fences that are too many, which two doors have let in at the same moment.

A pair is folded by the owner of the pair, a fence by the fence's: neither sees the others of its user. So
once such a record is on the log, its owner reads what all have written until then, and counts. Of two that
were written at once the later one's owner sees both; whoever counts finds the same ones too many, and says
so by the commands that a door would give: said twice, they end nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from control.commands.signed import seal
from control.entity.fold import Change, EntityFold, Input
from control.nearby.bounds import TooMany, too_many
from control.nearby.consent import Consent
from control.nearby.fences import REMOVE_FENCE, Fence, said_of
from control.nearby.friends import UNFRIEND, Friend, pair_of
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import partition_of
from kernel.log.records import Write
from kernel.log.topics import topic_names
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.registry import codec_for

_log = get_logger("touchline.bounds")
#: Users who are counted in one go: administrators make many friendships at once.
_AT_ONCE: Final = 2000


class Bounds:
    """Whom this worker has given a friend, a wish for one, or a fence, and has not counted since."""

    def __init__(self, settings: Settings, consent: Consent, clock: Clock) -> None:
        self._consent, self._clock = consent, clock
        self._settings, self._signer = settings.nearby, Signer(settings.auth)
        self._changes, self._control = topic_names(settings).changes, codec_for(settings, "control")
        self._noted: dict[str, None] = {}

    def noting(self, how: EntityFold[Any]) -> EntityFold[Any]:
        """The same fold; whoever has more by it is counted later."""

        def fold(given: Input, state: Callable[[bytes], Any]) -> Sequence[Change[Any]]:
            changes = how.fold(given, state)
            for change in changes:
                if isinstance(change.state, Friend):
                    self._noted[change.state.user] = None
                elif isinstance(change.state, Fence) and change.state.maker is not None:
                    self._noted[change.state.maker] = None
            return changes

        return EntityFold(type=how.type, fold=fold, decides=how.decides)

    async def look(
        self,
        *,
        written: Callable[[], Awaitable[object]],
        at_end: Callable[[], Awaitable[object]],
        partitions: Mapping[str, int],
    ) -> list[Write]:
        """Count them; returns the commands that are to be written. `written` returns once this worker's
        records are on the log, `at_end` once all that lies there is in its tables."""
        if not self._noted:
            return []
        users = list(self._noted)[:_AT_ONCE]
        for user in users:
            del self._noted[user]
        try:
            await written()
            await at_end()
            found = await asyncio.to_thread(self._count, users)
        except TouchlineError as error:  # Kafka is away: it is done later
            self._noted |= dict.fromkeys(users)
            _log.warning("friends and fences could not be counted", code=error.code, why=error.message[:200])
            return []
        return [write for many in found for write in self._ended(many, partitions[self._changes])]

    def _count(self, users: Iterable[str]) -> list[TooMany]:
        most = {"max_friends": self._settings.max_friends, "max_fences": self._settings.max_fences_of_a_user}
        return [too_many(self._consent, user, **most) for user in users]

    def _ended(self, many: TooMany, partitions: int) -> list[Write]:
        commands: list[tuple[str, str, Mapping[str, Any]]] = [
            (pair_of(f.user, f.friend), UNFRIEND, {"user": f.user, "friend": f.friend}) for f in many.friends
        ]
        commands += [
            (fence.id, REMOVE_FENCE, said_of(fence, by=fence.maker, admin=False)) for fence in many.fences
        ]
        if commands:
            ended = {"friends": len(many.friends), "fences": len(many.fences)}
            _log.warning("there are more than one user may have: the newest are ended", **ended)
        return [self._write(*command, partitions) for command in commands]

    def _write(self, key: str, command: str, said: Mapping[str, Any], partitions: int) -> Write:
        value = self._control.encode(
            {
                "command": command,
                "id": None,
                "actor": "touchline",
                "at": self._clock.now_ms(),
                "arguments": msgspec.json.encode(seal(command, key, said, self._signer)).decode(),
            }
        )
        return Write(self._changes, value, key.encode(), partition_of(key, partitions))
