"""The ops `nearby`, `locate` and `around`: who is near, and where the viewer is."""

from typing import Any

from msgspec import UNSET

from consumers.nearby.neighbours import Person, Watch
from consumers.nearby.visibility import Looking
from consumers.protocol import messages as m
from consumers.protocol import nearby as n
from consumers.protocol.session import Member
from consumers.service.error_replies import refusal
from consumers.service.ops.publishing import Publishing
from control.geo.distances import FARTHEST_M, metres
from control.nearby.consent import Consent
from control.rooms.service import Who
from kernel.access.users import user_channel
from kernel.distances import metres_of
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.log.positions import Kind, Stream
from kernel.settings.reading import Nearby


class NearbyRequests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        settings: Nearby,
        looking: Looking,
        publishing: Publishing,
        consent: Consent,
        budgets: DoorBudgets,
    ) -> None:
        self._looking, self._publishing, self._consent = looking, publishing, consent
        self._budgets, self._radius = budgets, settings.radius
        radius_of(settings.radius)

    async def do(
        self, request: n.Nearby | n.Locate | n.Around, member: Member, connection: Any, size: int
    ) -> m.AnyReply | None:
        """Do what is asked."""
        try:
            match request:
                case n.Nearby():
                    return await self._nearby(request, member, connection)
                case n.Locate():
                    return await self._locate(request, member, connection, size)
                case _:
                    return self._around(request, member)
        except TouchlineError as error:
            return refusal(error, request.id)

    def gone(self, connection: Any) -> None:
        """The connection is lost."""
        self._looking.stop(connection)

    # ── nearby ───────────────────────────────────────────────────────────────────────────────────────

    async def _nearby(self, request: n.Nearby, member: Member, connection: Any) -> m.AnyReply | None:
        if request.off:
            self._looking.stop(connection)
            return None if request.id is None else n.NearbyReply(id=request.id, friends=[], more=False)
        user = Who(member.grants).named()
        self._budgets.take_read(self._bound(member))
        if request.cursor is not None:
            watch, start = self._place_in(connection, request.cursor)
        else:
            if request.lat is None or request.lon is None:
                raise TouchlineError("bad_request", "Say from where: lat and lon.")
            radius = radius_of(request.within or self._radius)
            found = await self._looking.look(user, connection, request.lat, request.lon, radius)
            now = self._looking.watch_of(connection)
            if now is None or connection.closing:
                self._looking.stop(connection)
                return None
            watch, start = now, 0
            watch.listed = found
        return self._page(request, watch, start)

    def _place_in(self, connection: Any, cursor: str) -> tuple[Watch, int]:
        watch = self._looking.watch_of(connection)
        serial, _, start = cursor.partition(".")
        if watch is None or serial != str(watch.serial) or not (start.isascii() and start.isdigit()):
            raise TouchlineError("bad_request", "The cursor is none of what you look at now.")
        return watch, int(start[:9])

    def _page(self, request: n.Nearby, watch: Watch, start: int) -> n.NearbyReply:
        """The next of those who were near when it began, as far as they still are, and as it is now."""
        neighbours, places = self._looking.neighbours, list[n.Place]()
        at, listed = start, watch.listed
        while at < len(listed) and len(places) < request.limit:
            distance = neighbours.distance(watch, listed[at])
            if distance is not None:
                places.append(_exactly(listed[at], distance))
            at += 1
        more = at < len(listed)
        if not more:
            watch.listed = []
        cursor = f"{watch.serial}.{at}" if more else UNSET
        return n.NearbyReply(id=request.id, friends=places, more=more, cursor=cursor)

    # ── where I am ───────────────────────────────────────────────────────────────────────────────────

    async def _locate(
        self, request: n.Locate, member: Member, connection: Any, size: int
    ) -> m.AnyReply | None:
        user = Who(member.grants).named()
        stream = Stream(Kind.LOCATION, user_channel(user))
        if not member.grants.allows("publish", str(stream)):
            raise TouchlineError("forbidden", "Your token does not allow this: publish.")
        data: dict[str, Any] = {"lat": request.lat, "lon": request.lon}
        if request.accuracy is not None:
            data["accuracy"] = request.accuracy
        asked = m.Publish(
            id=request.id,
            stream=str(stream),
            data=data,
            client_ts=request.client_ts,
            # Who wants to know is told what the workers say of it; others are told what they refuse.
            wait=None if request.id is None else "accepted",
        )
        reply = await self._publishing.publish(asked, stream, member, connection, size)
        if isinstance(reply, m.Published):
            return None if request.id is None else m.Ok(id=request.id)
        return reply

    # ── around ───────────────────────────────────────────────────────────────────────────────────────

    def _around(self, request: n.Around, member: Member) -> m.AnyReply:
        user = Who(member.grants).user
        self._budgets.take_read(self._bound(member))
        radius = radius_of(request.within or self._radius)
        found = []
        for distance, person in self._looking.crowd.nearest(request.lat, request.lon, radius):
            if person.user == user or (user is not None and self._consent.has_blocked(person.user, user)):
                continue
            found.append(self._stranger(person, distance, user, request))
            if len(found) > request.limit:
                break
        shown = sorted(found[: request.limit], key=lambda place: place.distance_m)
        return n.AroundReply(id=request.id, friends=shown, more=len(found) > request.limit)

    def _stranger(self, person: Person, distance: float, user: str | None, asked: n.Around) -> n.Place:
        position = person.position
        assert position is not None  # noqa: S101 - the crowd has those of whom it is known
        if user is not None and self._consent.are_friends(user, person.user):
            return _exactly(person, float(metres(asked.lat, asked.lon, position.lat, position.lon)))
        lat, lon = self._looking.crowd.middle(person)
        return n.Place(
            user=person.user,
            distance_m=round(distance, 1),
            lat=round(lat, 6),
            lon=round(lon, 6),
            at=position.at,
        )

    def _bound(self, member: Member) -> str | None:
        return self._budgets.bound(member.user, admin=member.grants.allows("admin", "*"))


def radius_of(text: str) -> float:
    """How far is near. Raises `bad_request`."""
    found = metres_of(text)
    if not found:
        raise TouchlineError(
            "bad_request", f"within is {text[:40]!r}: write a distance with its unit, like 5mi or 800m."
        )
    return min(found, FARTHEST_M)


def _exactly(person: Person, distance: float) -> n.Place:
    position = person.position
    assert position is not None  # noqa: S101 - who is near is somewhere
    return n.Place(
        user=person.user,
        distance_m=round(distance, 1),
        lat=position.lat,
        lon=position.lon,
        at=position.at,
    )
