"""What the log says of walkers: positions that were accepted, commands about friends and consent, fences."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from chaos.parts.changing import read_whole
from chaos.parts.walkers.judging import FenceEvent
from chaos.parts.walkers.oracle import Change, Circle, Spot, World, pair
from chaos.parts.walkers.people import RADIUS_M
from control.nearby.friends import BEFRIEND, UNFRIEND
from control.nearby.sharing import SHARE
from kernel.access.users import FENCE, USER
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import codec_for
from schemas.rendering import rfc3339


def read_world(settings: Settings) -> World:
    """All of it. Raises `unavailable` where Kafka is."""
    friends, consent = _commands(settings)
    inactive_ms = round(settings.nearby.inactive_s * 1000)
    return World(_positions(settings), friends, consent, RADIUS_M, inactive_ms)


def read_fences(settings: Settings, fences: Mapping[str, Circle]) -> list[FenceEvent]:
    """What their streams have told, in order."""
    found: list[FenceEvent] = []
    for event in _events(settings, Kind.BROADCAST):
        id_ = event["channel"].removeprefix(FENCE)
        if id_ != event["channel"] and id_ in fences and event["type"] in ("enter", "exit"):
            data = msgspec.json.decode(event["data"]["json"])
            place = data.get("lat"), data.get("lon")
            found.append(
                FenceEvent(id_, event["type"], data["user"], *place, data["at"], data.get("reason", ""))
            )
    return found


def _events(settings: Settings, kind: Kind) -> list[dict[str, Any]]:
    """Accepted events, by the rule of every reader: what is not newer is a repetition."""
    codec, newest = Codec(f"event-{kind}"), defaultdict[str, int](int)
    found = []
    for message in read_whole(settings, topic_names(settings).events[kind]):
        event = codec.decode(message.value() or b"")
        if event["seq"] > newest[event["channel"]]:
            newest[event["channel"]] = event["seq"]
            found.append(event)
    return found


def _positions(settings: Settings) -> dict[str, list[Spot]]:
    found: defaultdict[str, list[Spot]] = defaultdict(list)
    for event in _events(settings, Kind.LOCATION):
        user = event["channel"].removeprefix(USER)
        if user != event["channel"]:
            data, at = event["data"], event["client_ts"] or event["server_ts"]
            found[user].append(Spot(event["server_ts"], data["lat"], data["lon"], rfc3339(at)))
    return dict(found)


def _commands(settings: Settings) -> tuple[dict[tuple[str, str], list[Change]], dict[str, list[Change]]]:
    codec = codec_for(settings, "control")
    friends: defaultdict[tuple[str, str], list[Change]] = defaultdict(list)
    consent: defaultdict[str, list[Change]] = defaultdict(list)
    for message in read_whole(settings, topic_names(settings).changes):
        with contextlib.suppress(TouchlineError):
            given, at_ms = codec.decode(message.value() or b""), message.timestamp()[1]
            name = given["command"]
            if name not in (BEFRIEND, UNFRIEND, SHARE):
                continue
            said = msgspec.json.decode(msgspec.json.decode(given["arguments"])["said"])
            if name == SHARE:
                consent[said["user"]].append(Change(at_ms, bool(said["on"])))
            else:
                friends[pair(said["user"], said["friend"])].append(Change(at_ms, name == BEFRIEND))
    return dict(friends), dict(consent)
