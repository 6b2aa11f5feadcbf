"""An issuer of tokens: a real HTTP server with a JWKS document that changes."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.access.tokens import sign

NOW_S = 1_767_225_600


class Issuer:
    """A real HTTP server with a document that changes."""

    def __init__(self) -> None:
        self.keys: dict[str, Ed25519PrivateKey] = {}
        self.fetches = 0
        self.broken = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetches += 1
                body = b"nonsense" if outer.broken else outer.document()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    def document(self) -> bytes:
        listed = [
            {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key())), "kid": name}
            for name, key in self.keys.items()
        ]
        return json.dumps(
            {"keys": [*listed, {"kty": "oct", "kid": "x", "k": "c2VjcmV0"}, {"kty": "new"}]}
        ).encode()

    def token(self, name: str, can: Mapping[str, tuple[str, ...]] | None = None) -> str:
        return sign("ana", can or {}, expires_s=NOW_S + 60, key=self.keys[name], key_id=name)
