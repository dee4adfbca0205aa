"""A small OpenID Connect provider on loopback, for tests: discovery, keys, tokens, user info."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


class Provider:
    """Lets one person in, with whatever claims the test sets."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.claims: dict[str, Any] = {}
        self.instead: dict[str, bytes] = {}  # what it answers at a path in place of the document

    def id_token(self) -> str:
        """Return the signed claims."""
        now = int(time.time())
        claims = {"iss": self.address, "aud": "placet", "iat": now, "exp": now + 60, **self.claims}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"})

    def document(self, path: str) -> dict[str, Any]:
        """Return what the provider answers at ``path``."""
        if path.startswith("/.well-known/"):
            return {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "userinfo_endpoint": f"{self.address}/userinfo",
                "jwks_uri": f"{self.address}/keys",
            }
        if path == "/token":
            return {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()}
        if path == "/keys":
            return {"keys": [{"kid": "1", "alg": "RS256", "use": "sig", **self.public()}]}
        return self.claims

    def public(self) -> dict[str, str]:
        """Return the public key as JWK members."""
        numbers = self.key.public_key().public_numbers()
        n, e = ((v.bit_length() + 7) // 8 for v in (numbers.n, numbers.e))
        return {
            "kty": "RSA",
            "n": base64.urlsafe_b64encode(numbers.n.to_bytes(n)).decode().rstrip("="),
            "e": base64.urlsafe_b64encode(numbers.e.to_bytes(e)).decode().rstrip("="),
        }


@contextmanager
def running() -> Iterator[Provider]:
    """Serve a provider for the length of the block."""
    provider: Provider

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            body = provider.instead.get(path, json.dumps(provider.document(path)).encode())
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
