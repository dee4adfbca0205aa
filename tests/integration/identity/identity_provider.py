"""A small OpenID Connect provider on loopback, for tests: discovery, keys, tokens, user info."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from placet.kernel.clock import now, rfc3339
from tests.support.factories import browser


class Absent(Enum):
    """What a claim is that a provider leaves out."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
PATH = "/accounts/oidc/oidc/login/"


class Provider:
    """Lets people in, with whatever claims the test sets for the code that each came with.

    A claim that is :data:`ABSENT` is left out. What stands in ``user_info`` is said in the user
    info in place of what the ID token says.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.came: dict[str, dict[str, Any]] = {}
        self.instead: dict[str, bytes] = {}  # what it answers at a path in place of the document
        self.changed: dict[str, dict[str, Any]] = {}  # members of the document at a path
        self.user_info: dict[str, Any] = {}
        self.at_the_door: dict[str, Any] = {}  # who comes with a browser

    def lets_in(self, code: str, **claims: Any) -> None:
        """Have ``code`` stand for somebody with ``claims``, who gave their password right now."""
        at = int(time.time())
        always = {"iss": self.address, "aud": "placet", "iat": at, "exp": at + 60}
        self.came[code] = always | {"auth_time": at} | claims

    def sends_back(self, query: str) -> str:
        """Let in who is at the door without asking; return where their browser goes on to."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        code = state = asked["state"]
        self.lets_in(code, nonce=asked["nonce"], **self.at_the_door)
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': state})}"

    def id_token(self, code: str) -> str:
        """Return the signed claims."""
        claims = {k: v for k, v in self.came[code].items() if v is not ABSENT}
        payload = json.dumps(claims).encode()
        return jwt.PyJWS().encode(payload, self.key, algorithm="RS256", headers={"kid": "1"})

    def answer(self, path: str, code: str) -> bytes:
        """Return what the provider answers at ``path`` to who has ``code``."""
        if path in self.instead:
            return self.instead[path]
        found = self.document(path, code) | self.changed.get(path, {})
        return json.dumps({k: v for k, v in found.items() if v is not ABSENT}).encode()

    def document(self, path: str, code: str) -> dict[str, Any]:
        """Return what a provider in order answers there."""
        if path.startswith("/.well-known/"):
            return {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "userinfo_endpoint": f"{self.address}/userinfo",
                "jwks_uri": f"{self.address}/keys",
            }
        if path == "/token":
            return {"access_token": code, "token_type": "Bearer", "id_token": self.id_token(code)}
        if path == "/keys":
            return {"keys": [{"kid": "1", "alg": "RS256", "use": "sig", **self.public()}]}
        mine = {k: v for k, v in self.came[code].items() if k not in ("iss", "aud", "exp", "nonce")}
        return mine | self.user_info

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
            path, _, query = self.path.partition("?")
            if path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.sends_back(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.say(self.headers.get("Authorization", "").removeprefix("Bearer "))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.say(parse_qs(form.decode())["code"][0])

        def say(self, code: str) -> None:
            body = provider.answer(self.path.split("?")[0], code)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def come_in(provider: Provider, client: Any = None, query: str = "", **claims: Any) -> Any:
    """Go through the provider with ``claims``; return the client and the last answer."""
    client = client or browser()
    away = client.post(f"{PATH}{query}")
    assert away.status_code == 302, away.content
    target = urlsplit(away["Location"])
    assert f"{target.scheme}://{target.netloc}" == provider.address
    asked = parse_qs(target.query)
    assert asked["code_challenge_method"] == ["S256"]
    code = state = asked["state"][0]
    nonce = asked.get("nonce", [ABSENT])[0]
    provider.lets_in(code, **{"sub": "u-1", "name": "Ada", "nonce": nonce, **claims})
    back = client.get(f"{PATH}callback/", {"code": code, "state": state})
    return client, back


def who(client: Any) -> str | None:
    answer = client.get("/api/v1/whoami")
    return answer.json()["id"] if answer.status_code == 200 else None


def stale(client: Any) -> bool:
    """Tell whether the session is asked to authenticate again before it makes a token."""
    body = {
        "name": "x",
        "scopes": ["model.view"],
        "expires_at": rfc3339(now() + timedelta(9)),
    }
    answer = client.post("/api/v1/tokens", body, "application/json")
    return answer.status_code == 403 and answer.json()["code"] == "reauthenticate"
