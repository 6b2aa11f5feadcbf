"""`touchline edge drain` and `touchline token --revoke`, as an operator runs them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from embedded.ports import find_free
from kernel.access.tokens import sign
from tests.consumers.bare import bare
from tests.consumers.crowd import crowd, each_has
from tests.consumers.edges import EdgeProcess, Fanout, edges
from tests.pipeline import Pipeline, running
from touchline.cli import run

SECRET = "a-secret-of-thirty-two-bytes-or-more"
VIEWERS = 8


def token(user: str, **can: tuple[str, ...]) -> str:
    return sign(user, can, expires_s=4e9, key=SECRET)


@pytest.fixture
def two(kafka_servers: str, tmp_path: Path) -> Iterator[tuple[Fanout, list[EdgeProcess]]]:
    """Edges that want tokens; whoever is told to go has three seconds."""
    given = {"TOUCHLINE_AUTH_SECRET": SECRET, "drain_s": 3, "reconnect_jitter_ms": 100}
    with edges(kafka_servers, tmp_path, 2, **given) as (fanout, both):
        yield fanout, both


async def test_an_edge_that_is_told_to_drain_sends_its_viewers_away_and_ends_and_nobody_misses_an_event(
    two: tuple[Fanout, list[EdgeProcess]],
) -> None:
    fanout, (leaving, staying) = two
    watcher, chief = token("ana", subscribe=("*",)), token("chief", admin=("*",))
    fanout.write("chat:drained", 1)
    async with crowd("chat:drained", VIEWERS, lambda _: [leaving.url, staying.url], token=watcher) as seen:
        async with bare(f"{leaving.url}?token={watcher}") as (client, _):
            await each_has(seen, 1)
            # As `touchline status --json` shows the address: the viewers' one.
            asked = asyncio.create_task(
                asyncio.to_thread(
                    leaving.command, "edge", "drain", "--url", leaving.url, "--token", chief, "--json"
                )
            )
            while leaving.process.poll() is None:
                # Fewer than a ring holds: what lies beyond it is on the log, where nobody writes here.
                if len(fanout.written["chat:drained"]) < 1000:
                    await asyncio.to_thread(fanout.write, "chat:drained", 2)
                await asyncio.sleep(0.005)
            assert await asked == (0, json.dumps({"draining": leaving.http}) + "\n", "")
            told = await client.hear("drain")
            assert told["deadline_ms"] == 3000
            with pytest.raises(ConnectionClosed) as closed:  # the viewer stays, and is closed
                await client.hear("event")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4201
        assert leaving.process.wait() == 0
        written = fanout.written["chat:drained"]
        await each_has(seen, len(written))
    assert all(got == written for got in seen)


def test_an_edge_that_cannot_be_drained_is_a_sentence_and_what_to_do(
    two: tuple[Fanout, list[EdgeProcess]],
) -> None:
    edge = two[1][0]
    nobody, watcher = f"http://127.0.0.1:{find_free()}", token("ana", subscribe=("*",))

    def drain(*arguments: str) -> tuple[int, str]:
        code, out, err = edge.command("edge", "drain", *arguments)
        assert out == ""
        assert "Traceback" not in err
        return code, err.strip().splitlines()[-1]

    assert drain("--url", "edge-7") == (
        2,
        "Error: Invalid value for --url: edge-7 is not an address like http://127.0.0.1:18081.",
    )
    code, said = drain("--url", nobody)
    assert code == 1
    assert said.startswith(f"touchline: No edge answers at {nobody} (")
    assert "touchline status" in said
    assert drain() == (
        1,
        f"touchline: The edge at {edge.http} wants a token that it can verify. Give it with --token.",
    )
    code, said = drain("--token", watcher, "--json")
    assert code == 1
    assert json.loads(said) == {
        "code": "forbidden",
        "message": f"The token may not drain the edge at {edge.http}. It has to allow admin on *.",
    }
    assert edge.process.poll() is None


@pytest.fixture
def guarded(kafka_servers: str, tmp_path: Path) -> Iterator[Pipeline]:
    """An edge and a gateway that want tokens. Nothing here needs Elasticsearch."""
    given = {"TOUCHLINE_AUTH_SECRET": SECRET}
    with running(kafka_servers, "http://127.0.0.1:9", tmp_path, "edge", "gateway", **given) as pipeline:
        yield pipeline


async def test_a_user_whose_tokens_are_revoked_is_out_everywhere_and_comes_in_with_a_new_one(
    guarded: Pipeline,
) -> None:
    edge_http = guarded.edge_url.replace("ws://", "http://").removesuffix("/v1/ws")
    events = f"{guarded.gateway_url}/v1/streams/chat/room/events"

    async def command(*arguments: str) -> str:
        done = await asyncio.to_thread(guarded.run, "token", *arguments)
        return done.stdout.strip()

    async def status(url: str, given: str) -> int:
        async with http.get(url, headers={"Authorization": f"Bearer {given}"}) as response:
            return response.status

    async with ClientSession() as http:
        old, other = await asyncio.gather(command("ana"), command("ben"))
        sse = await http.get(f"{edge_http}/v1/sse?stream=chat:room&token={old}")
        assert (sse.status, await status(events, old)) == (200, 200)
        async with (
            bare(f"{guarded.edge_url}?token={old}") as (ana, _),
            bare(f"{guarded.edge_url}?token={other}") as (ben, _),
        ):
            assert json.loads(await command("ana", "--revoke", "--json")) == {"revoked": "ana"}
            with pytest.raises(ConnectionClosed) as closed:
                await ana.hear("event")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001
            # As soon as it is revoked a new one counts, however quickly it was asked for.
            new = await command("ana")
            await ben.say(op="ping", id=1)
            assert (await ben.hear("pong"))["id"] == 1
        async with asyncio.timeout(60):
            ended = (await sse.content.read()).decode()
        assert '"code":4001' in ended[ended.index("event: close") :]

        async with connect(f"{guarded.edge_url}?token={old}", open_timeout=60) as wire:
            with pytest.raises(ConnectionClosed) as refused:
                await wire.recv()
            assert refused.value.rcvd is not None
            assert refused.value.rcvd.code == 4001
        for path in ("sse", "poll"):
            assert await status(f"{edge_http}/v1/{path}?stream=chat:room", old) == 401
        async with asyncio.timeout(60):
            while await status(events, old) != 401:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        async with bare(f"{guarded.edge_url}?token={new}") as (_, welcome):
            assert welcome["user"] == "ana"
        assert await status(events, new) == 200
        assert await status(events, other) == 200

        # An edge that starts later knows it, too.
        await asyncio.to_thread(guarded.kill, "edge")
        await asyncio.to_thread(guarded.start, "edge")
        assert await status(f"{edge_http}/v1/poll?stream=chat:room&wait=0.1", old) == 401
        assert await status(f"{edge_http}/v1/poll?stream=chat:room&wait=0.1", new) == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--revoke",), "Error: Missing argument 'USER'."),
        (("x" * 129, "--revoke"), "Error: Invalid value for USER: it has 1 to 128 characters."),
    ],
    ids=["nobody", "no user's name"],
)
def test_a_revocation_that_makes_no_sense_is_wrong_use(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(["token", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.strip().splitlines()[-1]) == ("", said)
