"""Where posts may lead to: nowhere inside, by whatever spelling."""

import pytest

from kernel.access.outward import Outward
from kernel.errors import TouchlineError
from kernel.settings.outbox import Outbox
from kernel.settings.reading import Auth, Gateway, Settings

KEYED = Settings(auth=Auth(secret="s" * 32))
INSIDE = (
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "255.255.255.255", "fe80::1%eth0", "100.100.100.200"),
    "no address",
)


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_is_posted_to(address: str) -> None:
    assert not Outward(KEYED).allows(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_what_is_outside_is(address: str) -> None:
    assert Outward(KEYED).allows(address)


def test_loopback_only_without_keys_and_private_ones_by_setting() -> None:
    assert Outward(Settings()).allows("127.0.0.1")
    assert not Outward(Settings()).allows("10.0.0.1")
    assert not Outward(Settings(gateway=Gateway(host="0.0.0.0"))).allows("127.0.0.1")
    allowed = Outward(Settings(auth=KEYED.auth, outbox=Outbox(private_addresses=True)))
    assert allowed.allows("10.0.0.1")
    assert allowed.allows("::1")
    assert not allowed.allows("169.254.169.254")  # where a cloud tells a machine its secrets


WRONG = (
    *("", "ftp://example.com/x", "http://", "//example.com", "javascript:alert(1)", "http://a b/"),
    *(
        "http://user:pass@example.com/",
        "http://example.com/#x",
        "http://example.com:0/",
        "http://exämple.com/",
    ),
    *("http://example.com:99999/", f"http://example.com/{'x' * 2100}", "http://169.254.169.254/latest"),
    *("http://[::1]/", "http://localhost/", "http://127.0.0.1:80/", "http://2130706433\n.example/"),
    *("http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://10.1/"),
)


@pytest.mark.parametrize("url", WRONG)
def test_what_is_no_receivers_address(url: str) -> None:
    with pytest.raises(TouchlineError) as refused:
        Outward(KEYED).check(url)
    assert refused.value.code == "bad_request"


def test_what_is_one() -> None:
    for url in (
        "https://example.com/hook?x=1",
        "http://example.com:8080",
        "https://[2606:2800:220:1::1]/h",
        "http://4.x1/",
    ):
        assert Outward(KEYED).check(url) == url
