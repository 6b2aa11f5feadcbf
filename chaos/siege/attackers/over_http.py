"""Attackers who ask the gateway: settings, shards, packed bodies, long texts, pages, queries, alerts."""

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import zstandard

from chaos.siege.attackers.attack import MAY, Attacker, Raw, Request, Step

_JSON: Final = {"Content-Type": "application/json"}
_NDJSON: Final = {"Content-Type": "application/x-ndjson"}
_MANY: Final = 10_000_000
_WORDS: Final = 6_900


def body(value: object) -> bytes:
    """As JSON."""
    return json.dumps(value).encode()


def deep(levels: int, inner: str = "1") -> bytes:
    """Nested so far that a parser that calls itself is at its end."""
    return f'{{"members":{"[" * levels}{inner}{"]" * levels}}}'.encode()


def put_channel(channel: str, settings: object) -> Request:
    """Change a channel."""
    raw = settings if isinstance(settings, bytes) else body(settings)
    return Request(method="PUT", path=f"/v1/channels/{channel}", body=raw, headers=_JSON)


def post(channel: str, data: object, kind: str = "chat", *, type_: str = "goal", **more: Any) -> Request:
    """Post an event; a broadcast of that type."""
    event = {"data": data, **({"type": type_} if kind == "broadcast" else {})}
    return Request(
        method="POST", path=f"/v1/streams/{kind}/{channel}/events", body=body(event), headers=_JSON, **more
    )


def ndjson(channel: str, raw: bytes, kind: str = "chat", *, encoding: str = "") -> Request:
    """Events as lines, packed or not."""
    headers = {**_NDJSON, "Content-Encoding": encoding} if encoding else _NDJSON
    return Request(method="POST", path=f"/v1/streams/{kind}/{channel}/events", body=raw, headers=headers)


@cache
def bomb(kind: str) -> bytes:
    """Ten million lines in twenty kilobytes."""
    raw = {"ones": b"1\n" * _MANY, "blank": b"\n" * _MANY, "objects": b"{}\n" * (_MANY // 4)}
    if kind == "zstd":
        return zstandard.ZstdCompressor().compress(bytes(64 * 1024 * 1024))
    return gzip.compress(raw[kind], 9)


@cache
def words(number: int) -> str:
    """Different words, such as no text has."""
    return " ".join(f"word{one:06d}" for one in range(number))


def ranges(channel: str) -> Sequence[Step]:
    """Settings that no record can hold, or no fold can live with."""
    tried: list[Mapping[str, Any]] = [
        {"max_text": 3_000_000_000},
        {"max_text": 2**63},
        {"rate_per_s": 1e308, "rate_binds_producers": True},
        {"rate_per_s": 1e-308, "rate_binds_producers": True},
        {"slow_s": 1e300},
        {"slow_s": 5e-324},
        {"min_shards": 256, "max_shards": 256},
        {"retention": "x" * 5000},
        {"members": ["m" * 60_000]},
        {"blocked": [""] * 9000},
        {"publishers": ["\ud800"]},
        {"blocked": ["\0", "\ud83d"]},
        {"readers": [f"r{n}" for n in range(8000)]},
        {"members_only": True, "members": ["x"] * 9000},
    ]
    raw = [
        b'{"max_text":1e999}',
        b'{"slow_s":NaN}',
        b'{"rate_per_s":Infinity}',
        b'{"max_text":' + b"9" * 5000 + b"}",
    ]
    return [put_channel(channel, one) for one in (*tried, *raw)]


def blocked(channel: str) -> Sequence[Step]:
    """Many blocked words, and texts that nearly have each of them."""
    return [
        put_channel(channel, {"blocked": [f"w{n:05x}" for n in range(_WORDS)]}),
        post(channel, {"text": "w0 " * 300_000}),
        post(channel, {"text": "w" * 900_000}),
    ]


def alerts(channel: str) -> Sequence[Step]:
    """Forty alerts of 32 negated words, and a long text."""
    query = " ".join(f"-not{n}" for n in range(32))
    saved = [
        Request(
            method="PUT",
            path=f"/v1/alerts/{channel}-{n}",
            headers=_JSON,
            body=body({"q": f"word {query}", "streams": [f"chat:{channel}"]}),
        )
        for n in range(40)
    ]
    return [*saved, post(channel, {"text": words(80_000)})]


def pages(channel: str) -> Sequence[Step]:
    """Large events, and pages of nothing else."""
    past = f"/v1/streams/chat/{channel}/events?limit=500"
    return [
        *(post(channel, {"text": "x" * 1_000_000}) for _ in range(4)),
        Request(path=past, times=4, at_once=4),
        Request(path=past, times=4, at_once=4, unread=True),
        Request(path=f"/v1/search?channel={channel}&limit=100", times=4, at_once=4),
    ]


def queries(channel: str) -> Sequence[Step]:
    """Queries that cost more than they say."""
    tried = [
        "(" * 800 + "a" + ")" * 800,
        " OR ".join(f"a{n}*" for n in range(400)),
        "*" * 1000,
        '"' + "a " * 900 + '"',
        "-" * 1000 + "a",
        " ".join(["a*"] * 500),
        "é\u0301" * 900,
        "a" * 3000,
        "\u202e" * 900,
        "NOT " * 400 + "x",
    ]
    return [Request(path=f"/v1/search?q={quote(q)}", times=3, at_once=3) for q in tried] + [
        Request(path=f"/v1/search?q=a&near=0,0&within=1e308m&channel={channel}"),
        Request(path=f"/v1/search?q=a&cursor={'A' * 6000}"),
        Request(path=f"/v1/search?limit={'9' * 5000}"),
    ]


def commands(channel: str) -> Sequence[Step]:
    """Changes without end: settings, shards, alerts."""
    saved = body({"q": "goal", "streams": [f"chat:{channel}"]})
    return [
        Request(
            method="PUT", path=f"/v1/channels/{channel}", body=body({"max_text": 500}), headers=_JSON,
            times=1000, at_once=40,
        ),
        Request(
            method="POST", path=f"/v1/channels/{channel}/reshard", body=body({"shards": 2}), headers=_JSON,
            times=200, at_once=20,
        ),
        Request(
            method="PUT", path=f"/v1/alerts/{channel}", body=saved, headers=_JSON, times=200, at_once=10,
        ),
        Request(path="/v1/alerts", times=200, at_once=20),
    ]  # fmt: skip


def knocking(channel: str, **headers: str) -> Sequence[Step]:
    """All that a token, or a page, could be good for: at the gateway, and at an edge."""
    said = {"data": {"text": "hi"}}
    return [
        Request(
            method="POST", path=f"/v1/streams/chat/{channel}/events", body=body(said),
            headers={**_JSON, **headers}, times=10, at_once=5,
        ),
        Request(
            method="PUT", path=f"/v1/alerts/{channel}", body=body({"q": "x"}), headers={**_JSON, **headers},
        ),
        Request(path=f"/v1/sse?stream=chat:{channel}", to="edge", headers=headers, times=10, at_once=5),
    ]  # fmt: skip


#: Alerts are saved by those who may publish to their streams.
_SAVES: Final[Mapping[str, tuple[str, ...]]] = {**MAY, "publish": ("*:foe-*", "broadcast:alert-foe-*")}
#: Tokens that no issuer should make, and none of them counts: they would never end, or outlive revocations.
_TOKENS: Final[Mapping[str, Callable[[], Mapping[str, object]]]] = {
    "endless": lambda: {"exp": float("nan")},
    "infinite": lambda: {"exp": float("inf")},
    "from-the-future": lambda: {"iat": time.time() + 1e9},
    "not-yet": lambda: {"nbf": float("inf")},
    "long-gone": lambda: {"exp": time.time() - 3600},
}
#: Pages of other sites, and names that are not this machine's (DNS rebinding).
_PAGES: Final[Mapping[str, Mapping[str, str]]] = {
    "foreign-page": {"Origin": "https://evil.example"},
    "null-page": {"Origin": "null"},
    "rebinding": {"Host": "evil.example"},
}

HTTP: Final[Sequence[Attacker]] = (
    *(
        Attacker(name=name, way="http", case=15, claims=claims, refused=True, steps=knocking)
        for name, claims in _TOKENS.items()
    ),
    *(
        Attacker(
            name=name,
            way="http",
            case=12,
            refused=True,
            steps=lambda c, headers=headers: knocking(c, **headers),  # type: ignore[misc]
        )
        for name, headers in _PAGES.items()
    ),
    Attacker(
        name="changes",
        way="http",
        case=0,
        admin=True,
        rest_s=0.0,
        steps=commands,
        can=_SAVES,
    ),
    Attacker(name="ranges", way="http", case=1, admin=True, steps=ranges),
    Attacker(
        name="nested",
        way="http",
        case=1,
        admin=True,
        steps=lambda c: [put_channel(c, deep(n)) for n in (1500, 20_000)] + [post(c, json.loads(deep(900)))],
    ),
    Attacker(
        name="reshards",
        way="http",
        case=5,
        admin=True,
        steps=lambda c: [
            *(
                Request(
                    method="POST",
                    path=f"/v1/channels/{c}/reshard",
                    headers=_JSON,
                    body=body({"shards": 256 - n}),
                )
                for n in range(40)
            ),
            post(c, {"text": "x" * 20_000}, times=5),
        ],
    ),
    Attacker(name="blocked", way="http", case=6, admin=True, steps=blocked),
    Attacker(
        name="gzip-lines", way="http", case=3, steps=lambda c: [ndjson(c, bomb("ones"), encoding="gzip")]
    ),
    Attacker(
        name="gzip-blank", way="http", case=3, steps=lambda c: [ndjson(c, bomb("blank"), encoding="gzip")]
    ),
    Attacker(
        name="gzip-empty", way="http", case=3, steps=lambda c: [ndjson(c, bomb("objects"), encoding="gzip")]
    ),
    Attacker(
        name="zstd-bomb", way="http", case=3, steps=lambda c: [ndjson(c, bomb("zstd"), encoding="zstd")]
    ),
    Attacker(
        name="marks",
        way="http",
        case=4,
        steps=lambda c: [
            post(c, {"text": "e" + "\u0301\u0327" * 50_000}),
            *(post(c, {"text": "a" + "\u0300\u0316" * 10_000}) for _ in range(5)),
            Request(path=f"/v1/search?q=a&channel={c}&limit=50", times=4, at_once=4),
        ],
    ),
    Attacker(name="pages", way="http", case=7, steps=pages),
    Attacker(name="alerts", way="http", case=8, steps=alerts, can=_SAVES),
    Attacker(
        name="closed-rooms",
        way="http",
        case=10,
        admin=True,
        rest_s=2.0,
        steps=lambda c: [put_channel(f"{c}-{n}", {"readers": ["nobody"]}) for n in range(1100)],
    ),
    Attacker(
        name="heads",
        way="bytes",
        case=13,
        steps=lambda _: [
            Raw(data=b"GET /v1/search HTTP/1.1\r\nHost: x\r\nX-Slow: ", connections=150, stays_s=5.0)
        ],
    ),
    Attacker(
        name="bodies",
        way="bytes",
        case=13,
        steps=lambda c: [
            Raw(
                data=b"POST /v1/streams/chat/%b/events HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: 900000\r\n\r\n{" % c.encode(),
                connections=150,
                stays_s=5.0,
            )
        ],
    ),
    Attacker(
        name="consumers",
        way="http",
        case=13,
        can={"publish": ("chat:foe-consumers",)},
        steps=lambda _: [Request(path="/v1/alerts", times=30, at_once=15)],
    ),
    Attacker(name="queries", way="http", case=15, steps=queries),
    Attacker(
        name="hosts",
        way="http",
        case=12,
        steps=lambda c: (
            [post(c, {"text": "hi"}, times=20) for _ in range(1)]
            + [Request(path="/v1/search?q=a", headers={"Host": "evil.example"}, times=20)]
        ),
    ),
    Attacker(
        name="refusals",
        way="http",
        case=0,
        steps=lambda c: [post(c, {"text": "y" * 500_000, "deep": [[[]]] * 2}, times=8, at_once=4)],
    ),
    Attacker(
        name="channels",
        way="http",
        case=0,
        rest_s=0.5,
        steps=lambda c: [post(f"{c}-{'n' * 100}{n}", {"text": "hi"}, at_once=8) for n in range(400)],
    ),
    Attacker(
        name="flood",
        way="http",
        case=0,
        rest_s=0.0,
        steps=lambda c: [ndjson(c, b'{"data":{"text":"spam"}}\n' * 5000)],
    ),
    Attacker(
        name="walkers",
        way="http",
        case=0,
        rest_s=0.0,
        steps=lambda c: [ndjson(c, b'{"data":{"lat":1,"lon":2}}\n' * 5000, "location")],
    ),
    Attacker(
        name="broadcasts",
        way="http",
        case=0,
        can={**MAY, "publish": ("broadcast:foe-*",)},
        steps=lambda c: [
            post(c, {f"f{n}": {"g": [n] * 50} for n in range(1500)}, "broadcast", times=4, at_once=2),
            post(c, {"a.b..c": {"": {".": 1}}, "\0": "\0"}, "broadcast", times=4),
        ],
    ),
)
