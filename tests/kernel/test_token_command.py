"""`touchline token` as its user calls it: what it makes an edge believes, and what is wrong it says."""

import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kernel.access.tokens import Grants, StaticKeys, Verifier
from kernel.clock import SystemClock
from kernel.settings.reading import Auth
from touchline.cli import run

SECRET = "a-secret-of-thirty-two-bytes-or-more"


@pytest.fixture(autouse=True)
def where_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without a touchline.toml, and no keys but the one secret."""
    monkeypatch.chdir(tmp_path)
    for variable in ("TOUCHLINE_CONFIG", "TOUCHLINE_AUTH_PUBLIC_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TOUCHLINE_AUTH_SECRET", SECRET)
    return tmp_path


def grants(token: str, auth: Auth | None = None) -> Grants:
    auth = auth or Auth(secret=SECRET, leeway_s=0)
    return Verifier(auth, StaticKeys(auth), SystemClock()).grants(token)


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is printed, which has to be all there is."""
    assert run(["token", *arguments]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.strip()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a wrong use is told."""
    assert run(["token", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.rstrip().endswith(".")
    return said.err


def test_a_token_holds_what_it_was_made_for_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    can = ["subscribe=chat:wc26-*,broadcast:wc26", "publish=chat:wc26-final", "subscribe=location:wc26"]
    found = grants(made(capsys, "ana", *(part for one in can for part in ("--can", one))))
    assert found.user == "ana"
    assert found.can == {
        "subscribe": ("chat:wc26-*", "broadcast:wc26", "location:wc26"),
        "publish": ("chat:wc26-final",),
    }
    assert found.allows("subscribe", "chat:wc26-final~3")
    assert not found.allows("publish", "chat:wc26-semi")
    assert not found.allows("history", "chat:wc26-final")


def test_an_action_alone_is_for_all_streams(capsys: pytest.CaptureFixture[str]) -> None:
    assert grants(made(capsys, "ana", "--can", "admin")).can == {"admin": ("*",)}


def test_a_token_is_for_everything_but_administering_where_nothing_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    every = ("*",)
    assert grants(made(capsys, "ana")).can == {
        "subscribe": every, "publish": every, "history": every, "search": every,
    }  # fmt: skip


@pytest.mark.parametrize(("given", "seconds"), [((), 3600), (("--for", "90"), 90)])
def test_a_token_is_for_an_hour_or_as_long_as_is_said(
    capsys: pytest.CaptureFixture[str], given: tuple[str, ...], seconds: int
) -> None:
    before = int(time.time())
    found = grants(made(capsys, "ana", *given))
    after = int(time.time())
    assert found.expires_s is not None
    assert found.issued_s is not None
    assert before + seconds <= found.expires_s <= after + seconds
    assert before <= found.issued_s <= time.time(), "by this a revocation knows it"


KEYS = [rsa_key(65537, 2048), Ed25519PrivateKey.generate()]


@pytest.mark.parametrize("key", KEYS, ids=["RS256", "EdDSA"])
def test_a_token_can_be_signed_with_a_private_key_of_a_file(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    key: RSAPrivateKey | Ed25519PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for secret in (SECRET, ""):
        monkeypatch.setenv("TOUCHLINE_AUTH_SECRET", secret)
        token = made(capsys, "ana", "--can", "search", "--key", str(private))
        assert grants(token, Auth(public_key=str(public))).can == {"search": ("*",)}


def test_json_says_beside_the_token_whose_it_is_and_what_it_allows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = json.loads(made(capsys, "ana", "--can", "publish=chat:a", "--json"))
    assert (said["user"], said["can"]) == ("ana", {"publish": ["chat:a"]})
    assert grants(said["token"]).can == {"publish": ("chat:a",)}


def test_where_there_is_nothing_to_sign_with_it_says_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOUCHLINE_AUTH_SECRET")
    assert "TOUCHLINE_AUTH_SECRET" in refused(capsys, "ana")


def test_a_secret_that_no_edge_would_start_with_makes_no_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_AUTH_SECRET", "short")
    assert "shorter than 32 bytes" in refused(capsys, "ana")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), "USER"),
        (("ana", "--can", "fly=chat:a"), "'fly' is not one of subscribe, publish, history, search, admin"),
        (("ana", "--for", "0"), "--for"),
        (("ana", "--for", "soon"), "--for"),
        (("ana", "--key", "there-is-none.pem"), "there-is-none.pem"),
        (("",), "USER"),
        (("u" * 129,), "USER"),
        (("ana", "--can", f"subscribe=chat:{'a' * 140}"), "--can"),
        (("ana", "--can", "subscribe=chat:a,"), "--can"),
    ],
    ids=[
        "no user",
        "no action",
        "no time",
        "no number",
        "no file",
        "empty user",
        "long user",
        "long pattern",
        "empty pattern",
    ],
)
def test_a_wrong_use_is_refused_by_its_name(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], names: str
) -> None:
    assert names in refused(capsys, *arguments)


def test_a_file_that_holds_no_key_to_sign_with_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "elliptic.pem").write_bytes(other)
    (tmp_path / "text.pem").write_text("nothing", "utf-8")
    assert "RSA or Ed25519" in refused(capsys, "ana", "--key", "elliptic.pem")
    assert "text.pem is not a readable PEM" in refused(capsys, "ana", "--key", "text.pem")
    assert "is not a readable PEM" in refused(capsys, "ana", "--key", str(tmp_path))
