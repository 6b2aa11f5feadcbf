"""Ports: free or taken, and by whom."""

import os
import socket

from embedded import ports


def test_a_port_that_is_listened_on_is_taken_and_by_whom_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        holder = ports.holder(port)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert str(os.getpid()) in str(holder)
    assert ports.is_free(port)
    assert ports.holder(port) is None


def test_a_wildcard_listener_has_the_loopback_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not ports.is_free(server.getsockname()[1])


def test_a_found_port_is_below_those_of_outgoing_connections() -> None:
    found = {ports.find_free() for _ in range(20)}
    assert all(1024 < port < 32_768 for port in found)
    assert ports.find_free(avoid=found) not in found
