"""The ways of sending that both producers have, written once: what they return is for each to say."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from kernel.access.users import KEPT
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_LANES, choose_lane, lane
from producers.posts import AnyPost, Broadcast, Chat, Location, Record
from producers.sending.delivery import Wait
from producers.sending.preparing import Preparing
from schemas.checks import check_channel, invalid

#: What a call gives: `Delivered`, or an awaitable of it.
Outcome = TypeVar("Outcome")


class SendMethods(Generic[Outcome]):
    """One method for each kind of event. All of them say where Kafka holds it, or raise TouchlineError.

    `key` is your idempotency key: the same key on the same stream within ten minutes is one event, so it
    makes sending again safe. With `wait="accepted"` a call returns when the workers have accepted the event,
    and says its `seq` and `id`; it raises what they refuse it for, or `unavailable` where they say nothing
    within two seconds. `spread=n` puts the events of a very hot channel on n lanes; a sender's
    stay on one lane, where they keep their order; without a sender those of one key do.
    """

    prepare: Preparing
    _turns: Counter[str]
    #: Channels whose lanes the workers have been told of, with how many.
    _announced: dict[str, int]

    @abstractmethod
    def send(self, post: AnyPost, *, spread: int = 0, wait: Wait | None = None) -> Outcome:
        """Send an event, and wait until Kafka holds it on all in-sync replicas, or until it is accepted."""

    @abstractmethod
    def _announce(self, record: Record) -> bool:
        """Put a record without waiting; False if there is no room, or no connection yet."""

    def broadcast(
        self,
        channel: str,
        type: str,  # noqa: A002 - its name on the wire
        data: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        sender: str | None = None,
        client_ts: int | None = None,
        spread: int = 0,
        wait: Wait | None = None,
    ) -> Outcome:
        """Tell everybody what happened: `broadcast("wc26-final", "goal", {"minute": 12})`."""
        post = Broadcast(channel, type, data or {}, key=key, sender=sender, client_ts=client_ts)
        return self.send(post, spread=spread, wait=wait)

    def chat(
        self,
        channel: str,
        text: str,
        *,
        sender: str | None = None,
        key: str | None = None,
        type: str = "message",  # noqa: A002 - its name on the wire
        target: str | None = None,
        extra: Mapping[str, Any] | None = None,
        client_ts: int | None = None,
        spread: int = 0,
        wait: Wait | None = None,
    ) -> Outcome:
        """Say something; `type="edit"` or `"retract"` with `target=id` changes what was said."""
        return self.send(
            Chat(
                channel,
                text,
                sender=sender,
                key=key,
                type=type,
                target=target,
                extra=extra,
                client_ts=client_ts,
            ),
            spread=spread,
            wait=wait,
        )

    def location(
        self,
        channel: str,
        lat: float,
        lon: float,
        *,
        accuracy: float | None = None,
        heading: float | None = None,
        speed: float | None = None,
        sender: str | None = None,
        key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        client_ts: int | None = None,
        spread: int = 0,
        wait: Wait | None = None,
    ) -> Outcome:
        """Say where something is, in degrees of WGS 84."""
        return self.send(
            Location(
                channel,
                lat,
                lon,
                accuracy=accuracy,
                heading=heading,
                speed=speed,
                sender=sender,
                key=key,
                extra=extra,
                client_ts=client_ts,
            ),
            spread=spread,
            wait=wait,
        )

    def on_lane(self, post: AnyPost, spread: int) -> AnyPost:
        """The event for its lane, where its channel is spread over so many; the workers are told of them."""
        if not spread:
            return post
        try:
            return replace(post, channel=self._lane(post.channel, post.sender, post.key, spread))
        except (TypeError, ValueError, AttributeError) as error:
            raise invalid(f"A field has a value of a type that it cannot have: {error}.") from error

    def _lane(self, channel: str, sender: str | None, key: str | None, spread: int) -> str:
        if not 1 <= spread <= MAX_LANES:
            raise TouchlineError("bad_request", f"spread is {spread}: it is 1 to {MAX_LANES} lanes.")
        if channel.startswith(KEPT):
            raise TouchlineError("bad_request", f"{channel[:140]} has no lanes, as all channels of its sort.")
        if self._announced.get(channel, 0) < spread:
            check_channel(lane(channel, MAX_LANES - 1))
            # Told before the first event: whoever subscribes to the channel gets all of its lanes.
            if self._announce(self.prepare.lanes(channel, spread)):
                self._announced[channel] = spread
        number = choose_lane(spread, sender, key)
        if number is None:
            number = self._turns[channel]
            self._turns[channel] = (number + 1) % spread
        return lane(channel, number)
