"""Attackers among people: rooms, inboxes, friends, fences, attachments, exports, reports, erasures."""

import math
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from chaos.siege.attackers.attack import MAY, Attacker, Frames, Request, Step
from chaos.siege.attackers.over_crowds import EVENT, NDJSON, OTHER, held, nowhere, send
from chaos.siege.attackers.over_http import body, post
from chaos.siege.attackers.over_sockets import say

_HUGE: Final = 2**53 - 1


def rooming(channel: str) -> Sequence[Step]:
    """Rooms without number, members who come and go without end, rooms that are not there."""
    many = [f"foe-member-{n}" for n in range(99)]
    rooms = [f"{channel}-{n}" for n in range(20)]
    members = f"/v1/rooms/{rooms[0]}/members"
    return [
        *(send("POST", "/v1/rooms", {"room": one, "name": "n" * 200, "members": many}) for one in rooms),
        send("POST", "/v1/rooms", {"name": "x", "members": [f"m{n}" for n in range(50_000)]}),
        send("POST", members, {"remove": many[:50]}, times=10, at_once=5),
        send("POST", members, {"add": many[:50]}, times=10, at_once=5),
        send("POST", members, {"roles": dict.fromkeys(many, "owner")}, times=5, at_once=5),
        send("PATCH", f"/v1/rooms/{rooms[0]}", {"history": "joined"}, times=20, at_once=10),
        *(post(f"room-{one}", {"text": f"@{OTHER} " * 500}, times=2) for one in rooms[:10]),
        Request(path="/v1/rooms?limit=100", times=40, at_once=20),
        *(Request(path=f"/v1/rooms/{channel}-none-{n}") for n in range(40)),
        Frames(
            texts=[
                say("room", n, do=do, room=rooms[n % 20], name="y", add=many[:20], on=bool(n % 2))
                for n in range(1, 150)
                for do in (("list", "mute", "get", "change", "members")[n % 5],)
            ],
            connections=6,
        ),
    ]


def syncing(channel: str) -> Sequence[Step]:
    """Devices that follow all of it and read nothing; places, receipts and typing without number."""
    streams = {f"chat:{channel}-{n}": _HUGE for n in range(500)}
    room = f"chat:room-{channel}"
    return [
        send(
            "POST", "/v1/rooms", {"room": channel, "name": "x", "members": [f"foe-m{n}" for n in range(90)]}
        ),
        *(post(f"room-{channel}", {"text": "x" * 30_000}) for _ in range(10)),
        Frames(texts=[say("sync", 1), say("inbox", 2, limit=100)], connections=30, reads=False, stays_s=3.0),
        Frames(texts=[say("ack", n, seqs=streams) for n in range(1, 40)], connections=4),
        Frames(texts=[say("typing", stream=room) for _ in range(190)], connections=8),
        Frames(texts=[say("read", n, stream=room, seq=n) for n in range(1, 190)], connections=6),
        Frames(
            texts=[say("presence", n, stream=room, members=True, limit=1000) for n in range(1, 150)],
            connections=6,
        ),
        Request(path="/v1/devices", times=20, at_once=10),
        *(Request(method="DELETE", path=f"/v1/devices/{'d' * 100}{n}") for n in range(20)),
    ]


def befriending(_: str) -> Sequence[Step]:
    """Wishes for friendship to hundreds, blocks, sharing on and off."""
    return [
        *(send("PUT", f"/v1/friends/foe-friend-{n}", {}) for n in range(120)),
        send("PUT", f"/v1/friends/{OTHER}", {}, times=20, at_once=10),
        *(send("PUT", f"/v1/blocks/foe-blocked-{n}", {}) for n in range(60)),
        *(send("PUT", "/v1/sharing", {"on": on, "public": on}, times=10) for on in (True, False)),
        Request(method="POST", path="/v1/friendships", body=b'{"a":"a","b":"b"}\n' * 50_000, headers=NDJSON),
        Request(path="/v1/friends?limit=100", times=40, at_once=20),
        Request(path=f"/v1/friends?cursor={'A' * 5000}"),
        Request(path=f"/v1/blocks?cursor={'%ff' * 500}"),
        Request(method="DELETE", path=f"/v1/friends/{quote('ü' * 120)}"),
    ]


def fencing(channel: str) -> Sequence[Step]:
    """Polygons of all corners that there may be around one place, numbers that are none, and steps across."""
    star = [[48.0 + math.cos(n * 2.5) * 0.01, 11.0 + math.sin(n * 2.5) * 0.01] for n in range(500)]
    wrong: list[object] = [
        {"lat": 1e308, "lon": 1, "radius_m": 5},
        {"lat": 90, "lon": 180, "radius_m": 1e308},
        {"lat": 0, "lon": 0, "radius_m": 5e-324},
        {"polygon": [[0, 0]] * 500},
        {"polygon": [[90, -180], [90, 180], [-90, 180], [-90, -180]]},
        {"polygon": [[0, 0]] * 50_000},
        {"polygon": [[]]},
        {"lat": 0, "lon": 0, "radius_m": 9, "users": ["u" * 128] * 5000},
    ]
    steps = [say("locate", n, lat=48 + n % 2 * 0.02, lon=11.0) for n in range(1, 190)]
    looks = [
        say("nearby", 1, lat=48.0, lon=11.0, within="3000km"),
        say("around", 2, lat=90, lon=180, limit=100),
    ]
    strange = ['{"id":3,"op":"nearby","lat":NaN,"lon":1e999}', say("nearby", 4, lat="48", lon=None)]
    return [
        *(send("PUT", f"/v1/fences/{channel}-{n}", {"polygon": star}) for n in range(60)),
        *(send("PUT", f"/v1/fences/{channel}-x", one) for one in wrong),
        send("PUT", "/v1/sharing", {"on": True, "public": True}),
        Frames(texts=[*looks, *steps], connections=4, stays_s=2.0),
        Frames(texts=[*looks, *strange], connections=20, reads=False, stays_s=2.0),
        Request(path="/v1/fences?limit=100", times=20, at_once=10),
        Request(path="/v1/positions", times=5),
        *(Request(method="DELETE", path=f"/v1/fences/{channel}-{n}") for n in range(0, 60, 3)),
    ]


def attaching(channel: str) -> Sequence[Step]:
    """Uploads that are begun and never come, of sizes and names that nobody has."""
    stream, none = f"chat:{channel}", "0" * 64
    right: dict[str, object] = {
        "stream": stream, "name": "a.png", "type": "image/png", "size": 9, "sha256": none,
    }  # fmt: skip
    wrong: list[Mapping[str, object]] = [
        *({"size": one} for one in (10**18, -1, 2**70, 1e308, "9")),
        *({"name": one} for one in ("\u202egnp.exe", "n" * 5000, "../../etc/passwd", "a\0b", "")),
        *({"type": one} for one in ("text/html", "x" * 5000, "image/png\r\nX: y")),
        *({"sha256": one} for one in ("", "z" * 64, "0" * 5000)),
        *({"stream": one} for one in ("chat:canary-1", "chat:room-none", "location:x")),
    ]
    return [
        send("POST", "/v1/attachments", right, keeps="attachment", times=60, at_once=20),
        *(send("POST", "/v1/attachments", {**right, **one}) for one in wrong),
        post(channel, {"text": "", "attachments": [held("attachment")] * 500}, times=10, at_once=5),
        post(channel, {"text": "", "attachments": [f"{n:032x}" for n in range(5000)]}, times=4, at_once=2),
        Request(path=f"/v1/attachments/{held('attachment')}", times=40, at_once=20),
        *(Request(path=f"/v1/attachments/{n:032x}") for n in range(40)),
        Request(method="POST", path=f"/v1/attachments/{held('attachment')}/fetched", times=40, at_once=20),
    ]


def exporting(channel: str) -> Sequence[Step]:
    """All of a stream and of all hits, by many at once and left on the wire; counts of all sorts."""
    counts = "facet=sender&facet=type&facet=channel&size=1000&interval=1s&by=sender&standout=word&compare=1d"
    return [
        *(post(channel, {"text": f"word{n} " * 9000}) for n in range(12)),
        *(
            Request(path=f"/v1/streams/chat/{channel}/events?format={one}", times=12, at_once=12, unread=True)
            for one in ("csv", "ndjson")
        ),
        Request(
            path=f"/v1/search?q=word1&format=ndjson&channel={channel}", times=12, at_once=12, unread=True
        ),
        Request(path=f"/v1/search?q=word1&{counts}", times=20, at_once=10),
        Request(path=f"/v1/search?q=word1&facet=sender&size={'9' * 500}"),
        Request(path=f"/v1/search?facet=sender&interval={'1ms,' * 900}"),
        Request(path=f"/v1/streams/chat/{channel}/events?around={nowhere(1)}", times=20, at_once=10),
        Request(path=f"/v1/streams/chat/{channel}/events?replies_to={nowhere(1)}", times=20, at_once=10),
    ]


def suggesting(_: str) -> Sequence[Step]:
    """Beginnings of words as they are typed, and such as nobody types; operators in depth."""
    tried = [
        *("a", "g" * 5000, "e\u0301" * 2000, "*" * 3000, '"' * 3000, "\0", "has:" * 900, "from:@" * 900),
        *(
            "(" * 2000 + "a",
            "-" * 3000 + "a",
            "NOT " * 900,
            "near:0,0,1e308m " * 100,
            "before:9999999999" * 50,
        ),
    ]
    return [
        *(Request(path=f"/v1/search/suggest?q={quote(one)}", times=8, at_once=8) for one in tried),
        *(Request(path=f"/v1/search/suggest?q={quote('wo' + one)}") for one in "abcdefghijklmnop"),
        *(Request(path=f"/v1/search?q={quote(one)}", times=2, at_once=2) for one in tried),
    ]


def reporting(channel: str) -> Sequence[Step]:
    """Reports without end, and a channel's mutes of everybody."""
    reports, orders = f"/v1/streams/chat/{channel}/reports", f"/v1/channels/{channel}/moderation"
    return [
        post(channel, {"text": "report this"}, keeps=EVENT),
        send("POST", reports, {"target": held(EVENT), "reason": "r" * 1000}, times=60, at_once=20),
        *(send("POST", reports, {"target": nowhere(n), "reason": "r"}) for n in range(40)),
        *(send("POST", orders, {"do": "mute", "user": f"u{n}", "for": "1s"}) for n in range(60)),
        send("POST", orders, {"do": "ban", "user": "u" * 5000, "for": "9" * 500 + "d"}),
        Request(path=orders, times=40, at_once=20),
        Request(path=reports, times=40, at_once=20),
    ]


def erasing(channel: str) -> Sequence[Step]:
    """All of one's own data, asked for and taken back again and again."""
    data = f"/v1/users/{channel}/data"
    return [
        post(channel, {"text": "mine"}, times=40, at_once=20),
        Request(path=data, times=20, at_once=10, unread=True),
        Request(method="DELETE", path=data, times=10, at_once=5),
        Request(path=data, times=20, at_once=10),
        Request(
            method="POST", path=f"/v1/streams/chat/{channel}/events", body=body([{}] * 9000), headers=NDJSON
        ),
    ]


#: Rooms of theirs, and where they themselves are.
_ROOMS: Final = dict.fromkeys(MAY, ("*:foe-*", "chat:room-foe-*"))
_PLACES: Final = dict.fromkeys(MAY, ("*:foe-*", "location:user-foe-*", "broadcast:fence-foe-*"))

PEOPLE: Final[Sequence[Attacker]] = (
    Attacker(name="rooming", way="http", case=0, steps=rooming, can=_ROOMS),
    Attacker(name="syncing", way="socket", case=0, steps=syncing, can=_ROOMS),
    Attacker(name="befriending", way="http", case=0, steps=befriending),
    Attacker(name="fencing", way="http", case=0, steps=fencing, can=_PLACES),
    Attacker(name="attaching", way="http", case=0, steps=attaching),
    Attacker(name="exporting", way="http", case=0, steps=exporting),
    Attacker(name="suggesting", way="http", case=0, steps=suggesting),
    Attacker(name="reporting", way="http", case=0, admin=True, steps=reporting),
    Attacker(name="erasing", way="http", case=0, steps=erasing),
)
