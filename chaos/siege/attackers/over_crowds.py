"""Attackers in the crowd: reactions, polls, follows, feeds, notifications, webhooks, and what is others'."""

from collections.abc import Sequence
from typing import Any, Final

from chaos.siege.attackers.attack import MAY, Attacker, Frames, Request, Step
from chaos.siege.attackers.over_http import body, post, put_channel
from chaos.siege.attackers.over_sockets import say
from kernel.log.positions import Kind, make_id

JSON: Final = {"Content-Type": "application/json"}
NDJSON: Final = {"Content-Type": "application/x-ndjson"}
#: The event that was posted by a step before, and the poll that was begun.
EVENT: Final = "results.0.id"
POLL: Final = "poll"
#: Someone who is none of them.
OTHER: Final = "canary"
_EMOJI: Final = ("👍", "👏", "🎉", "😡", "⚽", "🔥", "❤️", "👨‍👩‍👧‍👦")


def send(method: str, path: str, value: object = None, **more: Any) -> Request:
    """A request with a body of JSON."""
    return Request(method=method, path=path, body=body(value), headers=JSON, **more)


def held(name: str) -> str:
    """What a step before has kept (`Request.keeps`)."""
    return f"{{{{{name}}}}}"


def nowhere(number: int) -> str:
    """An id that an event of a chat might have, and none has."""
    return make_id(Kind.CHAT, 1_700_000_000_000 + number, number % 12, number)


def clapping(channel: str) -> Sequence[Step]:
    """Applause by all ways, in as many sorts as there may be and more; what is none of it."""
    stream, path = f"chat:{channel}", f"/v1/streams/chat/{channel}/reactions"
    claps = [
        say("react", n, stream=stream, n=100, **{"with": _EMOJI[n % len(_EMOJI)]}) for n in range(1, 190)
    ]
    keyed = [{"with": "👏", "n": 100, "key": f"k{n}"} for n in range(5000)]
    names: list[dict[str, object]] = [{"with": f":name{n}:"} for n in range(500)]
    wrong: list[dict[str, object]] = [
        {"with": "x" * 10_000},
        {"with": "👏", "n": 10**9},
        {"with": "👏", "n": 2**70},
        {"with": "\u0301" * 30},
        {"with": "👏", "off": True},
        {"with": "👏", "user": OTHER},
        {"with": "👏", "key": "k" * 100_000},
        {"with": ["👏"] * 5000},
    ]
    return [
        Frames(texts=claps, connections=8, stays_s=1.0),
        send("POST", path, keyed),
        send("POST", path, names),
        send("POST", path, wrong),
        Request(method="POST", path=path, body=b'{"with":"\xf0\x9f\x91\x8f"}\n' * 50_000, headers=NDJSON),
        *(send("POST", f"/v1/streams/broadcast/{channel}-{n}/reactions", names[0]) for n in range(60)),
        Request(path=path, times=60, at_once=20),
    ]


def reacting(channel: str) -> Sequence[Step]:
    """Reactions to one event, to thousands that are not there, to other streams' events, on and off."""
    stream, path = f"chat:{channel}", f"/v1/streams/chat/{channel}/reactions"
    lost = [{"with": "👍", "target": nowhere(n)} for n in range(2000)]
    wrong = [{"with": "👍", "target": one} for one in ("", "x", "9" * 40, "9" * 5000, "0")]
    turns = [
        say("react", n, stream=stream, target=held(EVENT), off=bool(n % 2), **{"with": "👍"})
        for n in range(1, 190)
    ]
    unknown = [say("react", n, stream=stream, target=nowhere(n), **{"with": "👍"}) for n in range(1, 190)]
    return [
        post(channel, {"text": "react to this"}, keeps=EVENT),
        Frames(texts=turns, connections=6),
        Frames(texts=unknown, connections=6),
        send("POST", path, [{"with": f":e{n}:", "target": held(EVENT)} for n in range(200)]),
        send("POST", path, lost),
        send("POST", path, wrong),
        Request(path=f"{path}?target={held(EVENT)}", times=60, at_once=20),
        *(Request(path=f"{path}?target={nowhere(n)}") for n in range(60)),
    ]


def balloting(channel: str) -> Sequence[Step]:
    """Polls without number that end by themselves, votes that change without end, votes for nothing."""
    stream, path = f"chat:{channel}", f"/v1/streams/chat/{channel}/polls"
    asked = {"question": "q" * 200, "options": [f"option {n}" for n in range(20)]}
    wrong = [
        {"question": "q" * 100_000, "options": ["a", "b"]},
        {"question": "q", "options": ["x" * 100_000, "b"]},
        {"question": "q", "options": [f"{n}" for n in range(50_000)]},
        {"question": "q", "options": ["a", "b"], "closes_in": "9" * 5000 + "s"},
        {"question": "q", "options": ["a", "b"], "closes_in": "1e9d"},
    ]
    votes = [say("vote", n, stream=stream, poll=held(POLL), option=n % 20) for n in range(1, 190)]
    empty = [say("vote", n, stream=stream, poll=nowhere(n), option=10**9 * (n % 2)) for n in range(1, 190)]
    return [
        send("POST", path, asked, keeps=POLL),
        send("POST", path, {**asked, "closes_in": "1s"}, times=60, at_once=20),
        *(send("POST", path, one) for one in wrong),
        Frames(texts=votes, connections=6),
        Frames(texts=empty, connections=6),
        Request(path=f"{path}/{held(POLL)}", times=60, at_once=20),
        Frames(texts=[say("subscribe", 1, stream=stream, reactions=True)], connections=30, reads=False),
        Request(method="DELETE", path=f"{path}/{held(POLL)}", times=10, at_once=10),
    ]


def following(channel: str) -> Sequence[Step]:
    """Hundreds of follows, feeds of all of them page after page, read by nobody."""
    followed = [f"{channel}-{n}" for n in range(120)]
    pages = [say("feed", n, limit=500) for n in range(1, 40)]
    return [
        *(send("PUT", f"/v1/follows/{one}", {}) for one in followed),
        *(post(one, {"text": "y" * 100_000}, "broadcast", type_="post") for one in followed[:12]),
        Request(path="/v1/feed?limit=500", times=40, at_once=20),
        Request(path="/v1/feed?limit=1&after=1", times=60, at_once=20),
        Request(path=f"/v1/feed?before={'9' * 40}", times=20, at_once=10),
        Frames(texts=pages, connections=4, reads=False, stays_s=3.0),
        Frames(texts=pages, connections=8, stays_s=2.0),
        Request(path=f"/v1/follows?cursor={'x' * 5000}"),
        *(Request(method="DELETE", path=f"/v1/follows/{one}") for one in followed[::2]),
    ]


def calling(channel: str) -> Sequence[Step]:
    """Mentions of others in each message, replies to nothing, wishes that change without end, going live."""
    twenty = " ".join([f"@{OTHER}", *(f"@foe-called-{n}" for n in range(19))])
    thousands = " ".join(f"@foe-{n}" for n in range(6000))
    quiet = ["00:00-23:59 Europe/Paris", "22:00-07:00 " + "x" * 5000, "22:00-07:00 ../../etc/passwd"]
    return [
        post(channel, {"text": twenty}, times=60, at_once=12),
        post(channel, {"text": thousands}, times=4),
        post(channel, {"text": f"@{OTHER}", "reply_to": nowhere(1)}, times=20, at_once=10),
        *(send("PUT", "/v1/notifications", {"types": {}, "quiet": one}, times=10) for one in quiet),
        send("PUT", "/v1/notifications", {"types": {f"t{n}": True for n in range(5000)}}),
        send("PUT", "/v1/notifications", {"push": {"endpoint": "https://foe.invalid/", "keys": {}}}),
        send("PUT", f"/v1/follows/{channel}", {}),
        post(channel, {"title": "live"}, "broadcast", type_="live_started", times=40, at_once=10),
        Frames(
            texts=[
                say("inbox", 1, limit=100),
                *(say("read", n, stream=f"broadcast:notify-{channel}", seq=2**53 - 1) for n in range(2, 100)),
            ],
            connections=6,
        ),
        Request(path=f"/v1/streams/broadcast/notify-{channel}/events?limit=500", times=20, at_once=10),
    ]


def hooking(channel: str) -> Sequence[Step]:
    """Webhooks to names that lead nowhere, to where nobody may post, retried without end."""
    of_own = {"streams": [f"chat:{channel}*"]}
    urls = [
        *("http://169.254.169.254/latest", "http://127.0.0.1:1/", "http://[::ffff:10.0.0.1]/"),
        *(
            "http://2852039166/",
            "file:///etc/passwd",
            "https://foe.invalid/" + "x" * 5000,
            "http://foe\r\nx/",
        ),
    ]
    return [
        *(
            send("PUT", f"/v1/webhooks/{channel}-{n}", {"url": f"https://foe-{n}.invalid/", **of_own})
            for n in range(40)
        ),
        *(send("PUT", f"/v1/webhooks/{channel}-x", {"url": one, **of_own}) for one in urls),
        send("PUT", f"/v1/webhooks/{channel}-x", {"url": "https://foe.invalid/", "streams": ["*:*"] * 5000}),
        post(channel, {"text": "z" * 20_000}, times=60, at_once=20),
        Request(method="POST", path=f"/v1/webhooks/{channel}-1/retry", times=60, at_once=20),
        Request(path="/v1/webhooks", times=40, at_once=20),
        *(Request(method="DELETE", path=f"/v1/webhooks/{channel}-{n}") for n in range(0, 40, 2)),
    ]


def counted(channel: str) -> Sequence[Step]:
    """A channel that counts, and texts of as many different words as there is room for."""
    texts = [" ".join(f"w{n}x{one}" for one in range(5000)) for n in range(12)]
    return [
        put_channel(channel, {"counters": True}),
        *(post(channel, {"text": text}) for text in texts),
        Request(path=f"/v1/channels/{channel}/counters", times=60, at_once=20),
    ]


def prying(channel: str) -> Sequence[Step]:
    """What is somebody else's: each is refused."""
    own, theirs = f"/v1/streams/chat/{channel}/reactions", "/v1/streams/chat/canary-1"
    hook = {"url": "https://foe.invalid/"}
    return [
        send("PUT", "/v1/webhooks/foe-pry", {**hook, "streams": ["*"]}),
        send("PUT", "/v1/webhooks/foe-pry", {**hook, "streams": ["chat:canary-*"]}),
        send("PUT", "/v1/webhooks/foe-pry", {**hook, "users": [OTHER]}),
        send("PUT", "/v1/follows/canary-1", {}),
        send("POST", own, {"with": "👍", "target": nowhere(1), "user": OTHER}),
        send("POST", f"{theirs}/reactions", {"with": "👍"}),
        send("POST", f"{theirs}/polls", {"question": "q", "options": ["a", "b"]}),
        send("POST", "/v1/channels/canary-1/moderation", {"do": "ban", "user": OTHER}),
        send("PUT", f"/v1/users/{OTHER}/friends/{channel}", {}),
        send("POST", "/v1/friendships", {"a": OTHER, "b": channel}),
        send("POST", f"/v1/users/{OTHER}/disconnect", {}),
        send("POST", "/v1/ops/edges/edge-1/drain", {}),
        Request(method="DELETE", path=f"/v1/users/{OTHER}/data"),
        *(
            Request(path=path)
            for path in (
                f"/v1/users/{OTHER}/data",
                f"/v1/users/{OTHER}/rooms",
                f"/v1/streams/broadcast/notify-{OTHER}/events",
                f"/v1/streams/location/user-{OTHER}/events",
                f"{theirs}/reactions",
                f"{theirs}/events?format=csv",
                f"{theirs}/reports",
                "/v1/channels/canary-1/followers",
                "/v1/channels/canary-1/counters",
                "/v1/rooms/canary",
                "/v1/rejections",
            )
        ),
    ]


#: What notifications are read by.
_CALLED: Final = {**MAY, "history": ("*:foe-*", "broadcast:notify-foe-*")}

CROWDS: Final[Sequence[Attacker]] = (
    Attacker(name="clapping", way="http", case=0, steps=clapping),
    Attacker(name="reacting", way="http", case=0, steps=reacting),
    Attacker(name="balloting", way="http", case=0, steps=balloting),
    Attacker(name="following", way="http", case=0, steps=following),
    Attacker(name="calling", way="http", case=0, steps=calling, can=_CALLED),
    Attacker(name="hooking", way="http", case=0, admin=True, steps=hooking),
    Attacker(name="counted", way="http", case=0, admin=True, steps=counted),
    Attacker(name="prying", way="http", case=0, refused=True, steps=prying),
)
