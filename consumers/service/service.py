"""What each connection of an edge is handed: admission, subscriptions, publishing, requests, the clock."""

from dataclasses import dataclass, field

from consumers.feeds.feeds import FeedRequests
from consumers.messenger.messenger import Messenger
from consumers.service.admission import Admission
from consumers.service.ops.acknowledgements import PlaceRequests
from consumers.service.ops.crowd import CrowdRequests
from consumers.service.ops.nearby import NearbyRequests
from consumers.service.ops.publishing import Publishing
from consumers.service.ops.requests import Requests
from consumers.service.ops.rooms import RoomRequests
from consumers.service.ops.subscriptions import Subscriptions
from consumers.service.tasks import Tasks
from kernel.clock import Clock
from kernel.fairness.turns import Turns
from kernel.settings.reading import Edge


@dataclass(frozen=True, slots=True)
class Service:
    """What an edge does for viewers, whatever they are connected by."""

    edge: Edge
    clock: Clock
    admission: Admission
    subscriptions: Subscriptions
    publishing: Publishing
    requests: Requests
    turns: Turns
    rooms: RoomRequests
    places: PlaceRequests
    messenger: Messenger
    nearby: NearbyRequests
    feeds: FeedRequests
    crowd: CrowdRequests
    tasks: Tasks = field(default_factory=Tasks)

    async def close(self) -> None:
        """Stop everything that is under way."""
        await self.subscriptions.backfill.close()
        await self.feeds.broadcasts.close()
        await self.crowd.service.sums.close()
        await self.tasks.close()
