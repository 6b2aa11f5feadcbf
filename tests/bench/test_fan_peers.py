"""What the peers write to viewers is WebSocket frames, and what the bare server is fed is blocks."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from bench.peers.fan_out import block, frames


@pytest.mark.parametrize("sizes", [[0], [1, 125], [126, 65535], [65536], [200] * 50])
def test_ready_made_frames_are_what_a_client_reads(sizes: list[int]) -> None:
    payloads = [bytes([97 + number % 26]) * size for number, size in enumerate(sizes)]
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=OPEN, max_size=None)
    client.receive_data(frames(payloads))
    assert client.events_received() == [Frame(Opcode.TEXT, payload) for payload in payloads]


@pytest.mark.parametrize("data", [b"", b"x", b"y" * 70_000])
def test_a_block_says_how_long_it_is(data: bytes) -> None:
    made = block(data)
    assert int.from_bytes(made[:4], "big") == len(data)
    assert made[4:] == data
