"""What a worker owns of friends, consent and fences: the folds of their commands."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from control.entity.fold import EntityFold
from control.entity.owner import Owner
from control.entity.view import View
from control.nearby.commands import folds
from control.nearby.consent import Consent
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.log.records import Write
from kernel.settings.reading import Settings
from streams.owned.members import written_again
from streams.upkeep.bounds import Bounds


class NearbyOwner:
    """The commands about users and places on touchline.changes, and their records."""

    def __init__(
        self,
        settings: Settings,
        consent: Consent,
        write: Callable[[list[Write]], None],
        changes: Owner,
        clock: Clock,
    ) -> None:
        #: Whoever has more friends or fences than one may.
        self.bounds = Bounds(settings, consent, clock)
        views: list[View[Any]] = [consent.friends, consent.sharing, consent.fences]
        friends, sharing, fences = (view.type for view in views)
        of_commands = folds(friends, sharing, fences, Signer(settings.auth))
        self.folds: Mapping[str, EntityFold[Any]] = {
            command: self.bounds.noting(how) for command, how in of_commands.items()
        }
        for view in views:
            # What a worker that has lost the user writes late is written over by who has them.
            view.on_stale = partial(written_again, write, changes, view.type)
