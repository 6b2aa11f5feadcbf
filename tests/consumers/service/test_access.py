"""Who may do what at an edge: tokens, origins, a channel's readers, TLS."""

import asyncio
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from control.commands.sending import send_command
from kernel.access.tokens import sign
from kernel.clock import SystemClock
from tests.certificates import self_signed
from tests.consumers.bare import bare
from tests.consumers.edges import EPOCH, edges

SECRET = "a-secret-of-thirty-two-bytes-or-more"


async def test_tokens_decide_where_keys_are_set(kafka_servers: str, tmp_path: Path) -> None:
    """§2: a page's origin, a token in the address or in auth, and what it allows."""
    given: dict[str, Any] = {
        "TOUCHLINE_AUTH_SECRET": SECRET,
        "origins": "https://good.example",
        # Longer than a busy machine stands still: whoever shows a token is not too late.
        "handshake_timeout_s": 8,
    }
    with edges(kafka_servers, tmp_path, **given) as (_, (edge,)):
        token = sign("ana", {"subscribe": ("chat:a",)}, expires_s=4e9, key=SECRET)
        silent = asyncio.create_task(ended_with(edge.url))
        async with bare(f"{edge.url}?token={token}") as (client, welcome):
            assert (welcome["auth"], welcome["user"]) == ("ok", "ana")
            await client.say(op="subscribe", id=1, stream="chat:b")
            assert (await client.hear("error"))["code"] == "forbidden"
        headers = {"Authorization": f"Bearer {token}"}
        async with bare(edge.url, additional_headers=headers) as (_, welcome):
            assert welcome["user"] == "ana"
        async with bare(edge.url) as (client, welcome):
            assert welcome["auth"] == "required"
            await client.say(op="subscribe", id=1, stream="chat:a")
            assert (await client.hear("error"))["code"] == "unauthorized"
            await client.say(op="auth", id=2, token=token)
            assert await client.hear("ok") == {"op": "ok", "id": 2, "user": "ana"}
            await client.say(op="subscribe", id=3, stream="chat:a")
            # This test's Elasticsearch does not answer, so history is the log's alone; it is empty.
            assert (await client.hear("subscribed"))["id"] == 3
        async with connect(f"{edge.url}?token=wrong", open_timeout=60) as wire:
            with pytest.raises(ConnectionClosed) as closed:
                await wire.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001
        with pytest.raises(Exception, match="403"):
            await connect(edge.url, origin="https://evil.example", open_timeout=60)  # type: ignore[arg-type]
        async with connect(edge.url, origin="https://good.example", open_timeout=60):  # type: ignore[arg-type]
            pass
        assert await silent == 4001
        request = urllib.request.Request(f"{edge.http}/v1/drain", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            await asyncio.to_thread(urllib.request.urlopen, request)


async def ended_with(url: str) -> int:
    """The code with which somebody who says nothing is closed."""
    async with bare(url) as (client, _):
        with pytest.raises(ConnectionClosed) as closed:
            await client.hear("event")
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_revoking_a_users_tokens_ends_their_connections_and_lets_new_tokens_in(
    kafka_servers: str, tmp_path: Path
) -> None:
    """§2.6"""
    with edges(kafka_servers, tmp_path, TOUCHLINE_AUTH_SECRET=SECRET) as (fanout, (edge,)):
        old = sign("ana", {}, expires_s=4e9, issued_s=1000, key=SECRET)
        other = sign("bob", {}, expires_s=4e9, issued_s=1000, key=SECRET)
        async with (
            bare(f"{edge.url}?token={old}") as (client, _),
            bare(f"{edge.url}?token={other}") as (bob, _),
        ):
            await asyncio.to_thread(
                send_command, fanout.settings, SystemClock(), "revoke:ana", "revoke", {"before": 2000}
            )
            with pytest.raises(ConnectionClosed) as closed:
                await client.hear("event")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001
            await bob.say(op="ping", id=1)
            assert (await bob.hear("pong"))["id"] == 1
        fresh = sign("ana", {}, expires_s=4e9, issued_s=3000, key=SECRET)
        async with bare(f"{edge.url}?token={fresh}") as (_, welcome):
            assert welcome["user"] == "ana"
        async with connect(f"{edge.url}?token={old}", open_timeout=60) as wire:
            with pytest.raises(ConnectionClosed):
                await wire.recv()


async def test_a_channel_that_names_its_readers_is_read_by_those_only(
    kafka_servers: str, tmp_path: Path
) -> None:
    """§2.7: at subscribing, in history, and for whoever watches already."""

    def address(user: str, **can: tuple[str, ...]) -> str:
        grants = {"subscribe": ("*",), "history": ("*",), **can}
        return f"{edge.url}?token={sign(user, grants, expires_s=4e9, key=SECRET)}"

    with edges(kafka_servers, tmp_path, TOUCHLINE_AUTH_SECRET=SECRET) as (fanout, (edge,)):
        fanout.set_readers("room", ["ana", "ben"])
        before = fanout.write("chat:room~0", 1)
        async with (
            bare(address("ana")) as (ana, _),
            bare(address("eve")) as (eve, _),
            bare(address("chief", admin=("room",))) as (chief, _),
        ):
            async with asyncio.timeout(60):  # until the edge has read the settings
                await eve.say(op="history", id=9, stream="chat:room", after=0)
                while (await eve.any()).get("code") != "forbidden":
                    await asyncio.sleep(0.2)  # more often, and the viewer would be told to wait
                    await eve.say(op="history", id=9, stream="chat:room", after=0)
            for stream in ("chat:room", "chat:room~0"):
                await eve.say(op="subscribe", id=1, stream=stream)
                assert (await eve.hear("error"))["code"] == "forbidden"
                await eve.say(op="history", id=2, stream=stream, after=0)
                assert (await eve.hear("error"))["code"] == "forbidden"
            for member in (ana, chief):
                await member.say(op="subscribe", id=1, stream="chat:room~0", after=EPOCH - 1)
                await member.hear("subscribed")
                assert (await member.hear("event"))["seq"] == before[0]
            fanout.set_readers("room", ["ben"])
            ended = await ana.hear("error")
            assert (ended["code"], ended["stream"], "id" in ended) == ("forbidden", "chat:room~0", False)
            after = fanout.write("chat:room~0", 1)
            assert (await chief.hear("event"))["seq"] == after[0]
            await ana.say(op="ping", id=9)
            assert (await ana.any())["op"] in ("pong", "presence")


async def test_viewers_come_over_tls(kafka_servers: str, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "edge")
    with edges(kafka_servers, tmp_path, tls_cert=certificate, tls_key=key) as (fanout, (edge,)):
        written = fanout.write("chat:tls", 3)
        context = ssl.create_default_context(cafile=str(certificate))
        async with bare(f"wss://127.0.0.1:{edge.port}/v1/ws", ssl=context) as (client, _):
            await client.say(op="subscribe", id=1, stream="chat:tls", after=EPOCH - 1)
            await client.hear("subscribed")
            assert [(await client.hear("event"))["seq"] for _ in written] == written
