"""Attackers who are viewers: subscriptions, presence, junk, floods, frames, those who do not read."""

import json
from collections.abc import Sequence
from typing import Final

from chaos.siege.attackers.attack import Attacker, Frames, Raw, Request, Step
from chaos.siege.attackers.over_http import post, put_channel

_UPGRADE: Final = (
    b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def say(op: str, number: int | None = None, **more: object) -> str:
    """A request of the viewer protocol."""
    return json.dumps({**({} if number is None else {"id": number}), "op": op, **more})


def crowd(channel: str) -> Sequence[Step]:
    """Many subscriptions to channels with the longest names there are."""
    long = [f"chat:{channel}-{n:03d}".ljust(133, "x") for n in range(256)]
    asked = [say("subscribe", n + 1, stream=name) for n, name in enumerate(long)]
    return [
        Frames(
            texts=["\n".join(asked[at : at + 64]) for at in range(0, 256, 64)], connections=30, stays_s=6.0
        )
    ]


def unread(channel: str) -> Sequence[Step]:
    """Pages of large events that nobody reads."""
    asks = [say("history", n, stream=f"chat:{channel}", before=2**53 - 1, limit=500) for n in range(1, 11)]
    return [
        *(post(channel, {"text": "x" * 900_000}) for _ in range(4)),
        Frames(texts=asks, connections=4, reads=False, stays_s=4.0),
    ]


def junk(channel: str) -> Sequence[Step]:
    """What is no request."""
    stream = f"chat:{channel}"
    tried: list[str | bytes] = [
        "[" * 30_000,
        '{"op":' * 5000,
        "null",
        '{"op":"subscribe","stream":"chat:\\ud800"}',
        '{"id":1e400,"op":"auth"}',
        say("subscribe", 2**53 - 1, stream=stream, after=2**53 - 1),
        say("subscribe", 1, stream=stream, last=1000),
        say("publish", 2, stream=stream, data={"text": "\0\x1b]0;x\x07"}),
        b"\xff" * 1000,
        "9" * 60_000,
        say("subscribe", 3, stream=stream, cursors={f"{stream}~{n}": n for n in range(600)}),
    ]
    return [Frames(texts=[one], connections=4, stays_s=0.3) for one in tried]


def large(channel: str) -> Sequence[Step]:
    """Channels with settings as large as may be, watched by one of their readers, who is called like them."""
    readers = [channel, *(f"reader-{n:04d}" for n in range(4000))]
    closed = [f"{channel}-{n}" for n in range(60)]
    asked = [say("subscribe", n + 1, stream=f"chat:{name}") for n, name in enumerate(closed)]
    return [
        *(put_channel(name, {"readers": readers}) for name in closed),
        Frames(texts=["\n".join(asked)], connections=2, stays_s=2.0),
        Request(path="/v1/search?q=a", times=10, at_once=5),
    ]


SOCKETS: Final[Sequence[Attacker]] = (
    Attacker(name="crowd", way="socket", case=2, steps=crowd),
    Attacker(name="large-channels", way="socket", case=0, admin=True, steps=large),
    Attacker(name="unread", way="socket", case=7, steps=unread),
    Attacker(name="junk", way="socket", case=0, steps=junk),
    Attacker(
        name="blank-lines",
        way="socket",
        case=11,
        steps=lambda _: [Frames(texts=["\n" * 60_000] * 40, connections=3, with_token=False, stays_s=1.0)],
    ),
    Attacker(
        name="close-codes",
        way="socket",
        case=15,
        steps=lambda _: [Frames(texts=[], close_code=code, stays_s=0.0) for code in range(3000, 5000, 17)],
    ),
    Attacker(
        name="churn",
        way="socket",
        case=0,
        steps=lambda c: [
            Frames(
                texts=[
                    text
                    for n in range(1, 120)
                    for text in (
                        say("subscribe", n, stream=f"chat:{c}", last=1000),
                        say("unsubscribe", n, stream=f"chat:{c}"),
                    )
                ],
                connections=6,
            )
        ],
    ),
    Attacker(
        name="acks",
        way="socket",
        case=0,
        steps=lambda c: [
            Frames(
                texts=[
                    "\n".join(say("ack", stream=f"chat:{c}-{m}-{n}", seq=2**53 - 1) for n in range(60))
                    for m in range(40)
                ],
                connections=4,
            )
        ],
    ),
    Attacker(
        name="presence",
        way="socket",
        case=10,
        steps=lambda c: [
            Frames(texts=[say("presence", n, stream=f"chat:{c}-{n}") for n in range(1, 190)], connections=8)
        ],
    ),
    Attacker(
        name="shouting",
        way="socket",
        case=0,
        rest_s=0.0,
        steps=lambda c: [
            Frames(
                texts=[
                    say("publish", n, stream=f"chat:{c}", data={"text": "aa " * 5000}) for n in range(1, 190)
                ],
                connections=10,
                stays_s=2.0,
            )
        ],
    ),
    Attacker(
        name="not-reading",
        way="socket",
        case=0,
        steps=lambda c: [
            Frames(
                texts=[say("subscribe", 1, stream=f"chat:{c}", last=1000)],
                connections=30,
                reads=False,
                stays_s=4.0,
            ),
            *(post(c, {"text": "z" * 200_000}) for _ in range(6)),
        ],
    ),
    Attacker(
        name="auth",
        way="socket",
        case=15,
        steps=lambda _: [
            Frames(
                texts=[say("auth", n, token=f"a.{'b' * 9000}.{n}") for n in range(1, 60)],
                connections=6,
                with_token=False,
            )
        ],
    ),
    Attacker(
        name="polls",
        way="http",
        case=0,
        steps=lambda c: [
            Request(path=f"/v1/sse?stream=chat:{c}", to="edge", times=40, at_once=40, unread=True),
            Request(path=f"/v1/poll?stream=chat:{c}&wait=nan", to="edge", times=40, at_once=40),
        ],
    ),
    Attacker(
        name="edge-posts",
        way="http",
        case=15,
        steps=lambda _: [
            Request(path="/v1/ws", method="POST", body=b"x" * 60_000, to="edge", times=20, at_once=10),
            Request(path="/" + "a" * 15_000, to="edge", times=20, at_once=10),
        ],
    ),
    Attacker(
        name="edge-heads",
        way="bytes",
        case=13,
        steps=lambda _: [
            Raw(data=b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nX-Slow: ", connections=150, stays_s=4.0, to="edge")
        ],
    ),
    Attacker(
        name="small-frames",
        way="bytes",
        case=11,
        # Empty, masked text frames without end, then pings.
        steps=lambda _: [
            Raw(data=_UPGRADE + b"\x81\x80\0\0\0\0" * 50_000, connections=4, to="edge"),
            Raw(data=_UPGRADE + b"\x89\x80\0\0\0\0" * 50_000, connections=4, to="edge"),
            Raw(
                data=_UPGRADE + b"\x01\x81\0\0\0\0a" + b"\x00\x81\0\0\0\0a" * 50_000, connections=4, to="edge"
            ),
        ],
    ),
)
