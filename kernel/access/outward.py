"""Which addresses posts to other systems may lead to: not into the network that we are in. Pure.

Whoever registers a receiver names a host; what that resolves to is asked for each connection, and only the
address that was asked about is connected to.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from kernel.access.tokens import has_keys, is_loopback
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

MAX_URL: Final = 2048
_NAT64: Final = IPv6Network("64:ff9b::/96")
#: Where clouds tell a machine its secrets.
_METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
#: What resolvers read as an address all the same (2130706433, 0x7f.1, 0177.0.0.1): no name ends like this.
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_HOST: Final = re.compile(r"[A-Za-z0-9._\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


class Outward:
    """What the settings allow."""

    def __init__(self, settings: Settings) -> None:
        self.private = settings.outbox.private_addresses
        self.loopback = self.private or (not has_keys(settings.auth) and is_loopback(settings.gateway.host))

    def allows(self, address: str) -> bool:
        """Whether an address may be connected to."""
        try:
            ip = _plain(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if ip.is_loopback:
            return self.loopback
        if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
            return False
        return ip.is_global or self.private

    def check(self, url: str) -> str:
        """Raise `bad_request` where a URL can be no receiver's. What its name leads to is asked later."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _wrong(url) from None
        whole = len(url) <= MAX_URL and url.isascii() and url.isprintable() and " " not in url
        if not whole or parts.scheme not in ("http", "https") or not host or port == 0:
            raise _wrong(url)
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _wrong(url)
        literal = f"[{host}]" if ":" in host else host
        if not _HOST.fullmatch(literal):
            raise _wrong(url)
        if not is_address(host) and _NUMBER.fullmatch(host):
            raise TouchlineError("bad_request", f"{host} is no name: write an address as four numbers.")
        if is_address(host) and not self.allows(host):
            raise TouchlineError(
                "bad_request",
                f"{host} is an address that nothing is posted to.",
                hint="TOUCHLINE_OUTBOX_PRIVATE_ADDRESSES=true allows private ones.",
            )
        if host == "localhost" and not self.loopback:
            raise TouchlineError("bad_request", "localhost is an address that nothing is posted to.")
        return url


def is_address(host: str) -> bool:
    """Whether this is no name, but an address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address that another one stands for."""
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _wrong(url: str) -> TouchlineError:
    return TouchlineError(
        "bad_request",
        f"{url[:100]!r} is no address to post to: write http:// or https://, a host and a path, without names"
        f" or fragments, of at most {MAX_URL} characters.",
    )
