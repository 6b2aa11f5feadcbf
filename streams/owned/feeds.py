"""What a worker owns of follows, webhooks and notifications: the folds of their commands."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from control.entity.fold import EntityFold
from control.entity.owner import Owner
from control.entity.view import View
from control.feeds.commands import folds as of_feeds
from control.outlets.commands import folds as of_outlets
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.log.records import Write
from kernel.settings.reading import Settings
from streams.owned.members import written_again


class FeedsOwner:
    """The commands about follows and outlets on touchline.changes, and their records."""

    def __init__(
        self, settings: Settings, state: ControlState, write: Callable[[list[Write]], None], changes: Owner
    ) -> None:
        feeds, outlets, signer = state.feeds, state.outlets, Signer(settings.auth)
        views: list[View[Any]] = [feeds.follows, outlets.webhooks, outlets.notifying]
        follows, webhooks, notifying = (view.type for view in views)
        self.folds: Mapping[str, EntityFold[Any]] = {
            **of_feeds(follows, signer),
            **of_outlets(webhooks, notifying, signer),
        }
        for view in views:
            # What a worker that has lost the user writes late is written over by who has them.
            view.on_stale = partial(written_again, write, changes, view.type)
