"""The proxies do what the schedule asks of them: pass, cut, swallow, delay."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from chaos.faults.proxy import Proxies
from embedded.ports import find_free


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while piece := self.request.recv(4096):
            self.request.sendall(piece)


@pytest.fixture
def link() -> Iterator[tuple[Proxies, int]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxies, port = Proxies(), find_free()
        proxies.say(link="l", listen=port, to=server.server_address[1])
        yield proxies, port
        proxies.close()
        server.shutdown()


def connect(port: int, timeout: float = 60) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def test_bytes_pass(link: tuple[Proxies, int]) -> None:
    with connect(link[1]) as wire:
        wire.sendall(b"hello")
        assert wire.recv(10) == b"hello"


def ended(wire: socket.socket) -> bool:
    """Whether the other side has closed or reset the connection."""
    try:
        return wire.recv(1) == b""
    except ConnectionError:
        return True


def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_over(link: tuple[Proxies, int]) -> None:
    proxies, port = link
    with connect(port) as wire:
        wire.sendall(b"a")
        assert wire.recv(1) == b"a"
        proxies.say(link="l", mode="cut")
        assert ended(wire)
        with connect(port) as other:
            assert ended(other)
    proxies.say(link="l", mode="pass")
    test_bytes_pass(link)


def test_half_open_swallows_and_closes_nothing_until_it_is_over(link: tuple[Proxies, int]) -> None:
    proxies, port = link
    with connect(port) as wire:
        wire.sendall(b"a")
        assert wire.recv(1) == b"a"
        proxies.say(link="l", mode="half_open")
        wire.sendall(b"b")
        wire.settimeout(0.3)
        with pytest.raises(TimeoutError):
            wire.recv(1)
        wire.settimeout(60)
        proxies.say(link="l", mode="pass")
        assert ended(wire)


def test_what_is_slow_arrives_later(link: tuple[Proxies, int]) -> None:
    proxies, port = link
    proxies.say(link="l", mode="slow", ms=150)
    with connect(port) as wire:
        began = time.monotonic()
        wire.sendall(b"a")
        assert wire.recv(1) == b"a"
        assert time.monotonic() - began >= 0.15
