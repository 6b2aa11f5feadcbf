"""Who may do what: tokens (JWT) into grants. The edge and the gateway use this one module.

A token's claims: `sub` is the user, `exp` when it ends, and `can` what it allows, by action and stream
pattern:
`{"sub": "ana", "exp": 1767225600, "can": {"subscribe": ["chat:wc26-*"], "publish": ["chat:wc26-final"]}}`.
A pattern is a stream in which `*` stands for anything; a grant on a channel holds for its lanes too.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from msgspec import Meta

from kernel.access.users import MAX_USER
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, split_lane
from kernel.settings.reading import Auth

Action = Literal["subscribe", "publish", "history", "search", "admin"]
ACTIONS: Final[tuple[Action, ...]] = ("subscribe", "publish", "history", "search", "admin")
#: What one does with what others have posted.
READING: Final[tuple[Action, ...]] = ("subscribe", "history")
EVERYTHING: Final = ("*",)
_MIN_SECRET: Final = 32
MAX_PATTERN: Final = 140
_ALGORITHMS: Final = ("HS256", "RS256", "EdDSA")
PublicKey = str | RSAPublicKey | Ed25519PublicKey


def _fits(pattern: str, text: str) -> bool:
    """Whether `*` in a pattern can stand for what makes it this text.

    Users write patterns, of alerts and webhooks: as a regular expression one of a few stars takes minutes to
    say no. Here each part is looked for once, behind the one before it.
    """
    first, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def matches(pattern: str, stream: str) -> bool:
    """Whether a stream pattern covers a stream, lanes included."""
    if pattern == "*" or _fits(pattern, stream):
        return True
    base, lane = split_lane(stream)
    return lane is not None and _fits(pattern, base)


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """What one token, or the lack of one, allows."""

    user: str
    can: Mapping[str, tuple[str, ...]]
    expires_s: float | None = None
    token_id: str | None = None
    issued_s: float | None = None
    #: The user said who they are, without a token: where there are no keys that is enough.
    named: bool = False

    @property
    def by_token(self) -> bool:
        """Of a token, which may be revoked, and runs out."""
        return self.expires_s is not None

    @property
    def anonymous(self) -> bool:
        """Of somebody who gave neither token nor name; the next time they have another one."""
        return not self.by_token and not self.named

    def allows(self, action: Action, stream: str) -> bool:
        """Whether this may be done on this stream (`admin` and `search` ask with the stream or with `*`)."""
        return any(matches(pattern, stream) for pattern in self.can.get(action, ()))

    def reads(self, stream: str) -> bool:
        """Whether what is said on this stream may be read at all, as it comes or later."""
        return any(self.allows(action, stream) for action in READING)


def everything(user: str) -> Grants:
    """The grants of somebody on a machine of their own: all of them."""
    return Grants(user=user, can=dict.fromkeys(ACTIONS, EVERYTHING))


def without_admin(user: str, *, named: bool) -> Grants:
    """The grants of somebody of whom nothing is proven: all but what needs `admin`."""
    return Grants(user=user, can={a: EVERYTHING for a in ACTIONS if a != "admin"}, named=named)


def without_token(name: str | None, guest: str, *, keyed: bool, on_loopback: bool) -> Grants:
    """The grants of somebody who comes without a token where that is allowed.

    Without keys a name is believed, and whoever gives none, on a machine of their own, is the operator. Where
    there are keys only a token says who somebody is, and only a token makes an operator. `guest` is what the
    nameless are called.
    """
    if name is not None and not keyed:
        return without_admin(name, named=True)
    return everything(guest) if on_loopback and not keyed else without_admin(guest, named=False)


class _Claims(msgspec.Struct):
    sub: Annotated[str, Meta(min_length=1, max_length=MAX_USER)]
    exp: float
    can: dict[str, tuple[Annotated[str, Meta(max_length=MAX_PATTERN)], ...]] = {}
    nbf: float | None = None
    iat: float | None = None
    jti: str | None = None


class UnknownKey(TouchlineError):  # noqa: N818 - it reads as what it says
    """The token names a key that is not here; a newer JWKS may have it."""


class Keys(Protocol):
    """Where verification keys come from."""

    def find(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """The keys that may have signed such a token; none: it cannot be verified."""


class StaticKeys:
    """The secret and the public key of the settings."""

    def __init__(self, auth: Auth) -> None:
        self._secret = auth.secret
        if auth.secret and len(auth.secret.encode()) < _MIN_SECRET:
            raise TouchlineError(
                "bad_setting", "TOUCHLINE_AUTH_SECRET is shorter than 32 bytes, which can be guessed."
            )
        self._public = _read_public(auth.public_key) if auth.public_key else None

    def find(self, key_id: str | None, algorithm: str) -> list[PublicKey]:  # noqa: ARG002
        if algorithm == "HS256":
            return [self._secret] if self._secret else []
        return [self._public] if self._public is not None and algorithm_of(self._public) == algorithm else []


def algorithm_of(key: PublicKey) -> str:
    """A key verifies one algorithm only: a token cannot choose how it is read."""
    if isinstance(key, str):
        return "HS256"
    return "RS256" if isinstance(key, RSAPublicKey) else "EdDSA"


def _read_public(path: str) -> PublicKey:
    try:
        key = load_pem_public_key(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise TouchlineError(
            "bad_setting", f"TOUCHLINE_AUTH_PUBLIC_KEY: {path} is not a readable PEM public key ({error})."
        ) from error
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise TouchlineError(
            "bad_setting", "TOUCHLINE_AUTH_PUBLIC_KEY must be an RSA or Ed25519 key (RS256, EdDSA)."
        )
    return key


def read_private(path: Path) -> RSAPrivateKey | Ed25519PrivateKey:
    """A private key to sign with."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise TouchlineError("bad_setting", f"{path} is not a readable PEM private key ({error}).") from error
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise TouchlineError("bad_setting", f"{path} must hold an RSA or Ed25519 key (RS256, EdDSA).")
    return key


class Verifier:
    """Tokens to grants, by one set of keys and one clock."""

    def __init__(self, auth: Auth, keys: Keys, clock: Clock) -> None:
        self._auth, self._keys, self._clock = auth, keys, clock
        #: Equal permissions are held once, not once a viewer.
        self._interned: dict[Any, Mapping[str, tuple[str, ...]]] = {}

    def grants(self, token: str) -> Grants:
        """Raises TouchlineError `unauthorized`; UnknownKey where fetching keys anew might help."""
        claims = self._verified(token)
        now_s, leeway = self._clock.now_ms() / 1000, self._auth.leeway_s
        if not all(isfinite(at) for at in (claims.exp, claims.nbf, claims.iat) if at is not None):
            raise _refused("The token's times are no numbers: NaN and infinity never end.")
        if claims.iat is not None and claims.iat - leeway > now_s:
            # It would outlive each revocation until then.
            raise _refused("The token was issued in the future: its issuer's clock is wrong.")
        if claims.exp + leeway <= now_s:
            raise _refused("The token has expired: get a new one.")
        if claims.nbf is not None and claims.nbf - leeway > now_s:
            raise _refused("The token is not valid yet.")
        return Grants(
            user=claims.sub,
            can=self._intern(claims.can),
            expires_s=claims.exp + leeway,
            token_id=claims.jti,
            issued_s=claims.iat,
        )

    def _verified(self, token: str) -> _Claims:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, RecursionError):
            raise _refused("The token is not a JWT.") from None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS:
            raise _refused(f"The token's algorithm is not one of {', '.join(_ALGORITHMS)}.")
        keys = self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
        if not keys:
            raise UnknownKey("unauthorized", "The token is signed with a key that is not known here.")
        for key in keys:
            try:
                payload = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    issuer=self._auth.issuer or None,
                    audience=self._auth.audience or None,
                    # Times are checked here, against the clock that was passed in.
                    options={
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_aud": bool(self._auth.audience),
                    },
                )
                return msgspec.convert(payload, _Claims)
            except jwt.InvalidSignatureError:
                continue
            except jwt.InvalidIssuerError:
                raise _refused("The token is of another issuer.") from None
            except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
                raise _refused("The token is for another audience.") from None
            # UnicodeEncodeError: a half of a pair of surrogates, which JSON can hold and no text can.
            except (jwt.InvalidTokenError, msgspec.ValidationError, RecursionError, UnicodeEncodeError):
                raise _refused("The token's claims are not valid: it needs sub and exp.") from None
        raise _refused("The token's signature is wrong.")

    def _intern(self, can: dict[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        key = tuple(sorted(can.items()))
        if len(self._interned) > 10_000:  # an issuer that writes each user's own streams into their token
            self._interned.clear()
        return self._interned.setdefault(key, can)


def _refused(sentence: str) -> TouchlineError:
    return TouchlineError("unauthorized", sentence)


def sign(
    user: str,
    can: Mapping[str, tuple[str, ...]],
    *,
    expires_s: float,
    key: str | RSAPrivateKey | Ed25519PrivateKey,
    issued_s: float | None = None,
    extra: Mapping[str, Any] | None = None,
    key_id: str | None = None,
) -> str:
    """Make a token, for `touchline token` and the tests; any other issuer of JWTs does as well."""
    algorithm = "HS256" if isinstance(key, str) else "RS256" if isinstance(key, RSAPrivateKey) else "EdDSA"
    claims: dict[str, Any] = {"sub": user, "exp": int(expires_s), "can": can, **(extra or {})}
    if issued_s is not None:
        claims["iat"] = round(issued_s, 3)  # a revocation in the same second knows which came first
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_id} if key_id else None)


def shown_token(authorization: str | None, in_query: str | None) -> str | None:
    """The token that a request shows: of `Authorization: Bearer`, else of `?token=`."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return in_query


def anonymous_allowed(auth: Auth, *, on_loopback: bool) -> bool:
    """Whether somebody without a token may do everything: on your own machine, or where it is switched on."""
    if auth.anonymous == "auto":
        return on_loopback and not has_keys(auth)
    return auth.anonymous == "on"


def has_keys(auth: Auth) -> bool:
    """Whether tokens can be verified: where they can, only a token says who somebody is."""
    return bool(auth.secret or auth.public_key or auth.jwks_url)


def parse_stream(text: str) -> Stream:
    """A stream's name from outside. Raises `bad_channel`, or `bad_request` where it names no kind."""
    try:
        return Stream.parse(text)
    except ValueError as error:
        kind, colon, _ = text.partition(":")
        raise TouchlineError(
            "bad_channel" if colon and kind in set(Kind) else "bad_request", f"{error}."
        ) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
