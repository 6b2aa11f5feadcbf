"""The key by which push services know us (VAPID, RFC 8292): a P-256 key in a PEM file."""

from base64 import urlsafe_b64encode
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings


class VapidKey(NamedTuple):
    """The key, and what browsers are given of it."""

    private: ec.EllipticCurvePrivateKey
    #: In URL-safe base64, as a browser's PushManager takes it.
    public: str


def read_vapid(settings: Settings) -> VapidKey | None:
    """The key of the settings; None: nothing is pushed. Raises `bad_setting`."""
    if not settings.outbox.vapid_key:
        return None
    try:
        found = load_pem_private_key(Path(settings.outbox.vapid_key).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise TouchlineError(
            "bad_setting", f"TOUCHLINE_OUTBOX_VAPID_KEY names no key that can be read: {error}."
        ) from None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise TouchlineError("bad_setting", "TOUCHLINE_OUTBOX_VAPID_KEY names a key that is not P-256.")
    point = found.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return VapidKey(found, urlsafe_b64encode(point).rstrip(b"=").decode())
