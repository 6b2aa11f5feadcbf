"""A user looks at what they are told: doors say so, and the outbox writes what is derived only then.

`live_started` of a channel that a million follow would be a million records at once. It is written for each
of them when they look, or while they are there.
"""

from typing import Final

from control.commands.signed import seal
from control.outlets.notifying import LOOK, Notifying, said_of
from control.rooms.service import Command
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.access.users import name_in_channel

#: The type of the broadcasts that followers are told of.
LIVE: Final = "live_started"


class Looks:
    """Says of users that they look."""

    def __init__(self, state: ControlState, command: Command, signer: Signer) -> None:
        self._state, self._command, self._signer = state, command, signer

    def concerns(self, user: str) -> bool:
        """Whether there may be something to be written for a user."""
        if not self._signer.able or not self._state.feeds.following(user):
            return False
        return self._state.outlets.notifying_of(user).wants(LIVE)

    async def say(self, user: str) -> None:
        """They look now."""
        if self.concerns(user):
            key = name_in_channel(user)
            said = seal(LOOK, key, said_of(Notifying(user=user)), self._signer)
            await self._command(key, LOOK, said, user)
