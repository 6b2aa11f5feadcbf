"""What a request may name as its host, and as the origin of its page."""

import pytest

from kernel.access.hosts import host_allowed, loopback_origins, name_of, same_origin


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:18080", "localhost"), ("LocalHost.", "localhost"), ("[::1]:80", "::1"), ("[::1]", "::1"),
        ("::1", "::1"), ("a.example", "a.example"), ("127.0.0.1:1", "127.0.0.1"), ("", ""), (":80", ":80"),
    ],
)  # fmt: skip
def test_a_name_is_what_stands_before_the_port(host: str, name: str) -> None:
    assert name_of(host) == name


@pytest.mark.parametrize(
    ("host", "allowed", "on_loopback", "expected"),
    [
        ("localhost:18080", (), True, True),
        ("127.0.0.1", (), True, True),
        ("127.8.8.8:9", (), True, True),
        ("[::1]:18080", (), True, True),
        (None, (), True, True),
        ("evil.example:18080", (), True, False),
        ("localhost.evil.example", (), True, False),
        ("10.0.0.7:18080", (), True, False),
        ("127.0.0.1.evil.example", (), True, False),
        ("", (), True, False),
        ("evil.example", (), False, True),
        ("live.example:443", ("live.example",), False, True),
        ("live.example:443", ("live.example:443",), False, True),
        ("localhost", ("live.example",), True, False),
        ("other.example", ("live.example",), False, False),
        ("other.example", ("*",), True, True),
    ],
)
def test_hosts(host: str | None, allowed: tuple[str, ...], on_loopback: bool, expected: bool) -> None:
    assert host_allowed(host, allowed, on_loopback=on_loopback) is expected


def test_origins() -> None:
    assert "http://localhost:18080" in loopback_origins(18080)
    assert "http://localhost:18081" not in loopback_origins(18080)
    assert same_origin("http://localhost:18080", "localhost:18080")
    assert same_origin("https://live.example", "inside:18080", ("live.example",))
    for origin in ("null", "", "http://localhost:3000", "http://evil.example", "http://["):
        assert not same_origin(origin, "localhost:18080"), origin
