"""People of the demo: they sign in as a browser does, and decide in their session."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from placet_client import Client
from placet_protocol import cookies


@dataclass(slots=True)
class DemoPerson:
    """Somebody with a browser session at the server ``url``."""

    url: str
    role: str
    name: str
    http: httpx.Client
    password: str

    def __enter__(self) -> "DemoPerson":
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()

    @classmethod
    def sign_in(cls, url: str, *, role: str, name: str, email: str, password: str) -> "DemoPerson":
        """Sign in through the page that people use. Raises ``RuntimeError`` when refused."""
        http = httpx.Client(base_url=url, follow_redirects=True, timeout=60)
        answer = send_form(http, "/accounts/login/", {"login": email, "password": password})
        if not cookie(http, cookies.SESSION):
            raise RuntimeError(f"{email} could not sign in ({answer.status_code})")
        return cls(url, role, name, http, password)

    def api(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Call the API in this session, as the pages do; when it is too long ago that the person
        signed in, they authenticate again and ask once more."""
        answer = self._call(method, path, body, headers or {})
        if answer.status_code == 403 and answer.json()["code"] == "reauthenticate":
            self.confirm()
            answer = self._call(method, path, body, headers or {})
        return answer

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        sent = {"X-CSRFToken": cookie(self.http, cookies.CSRF), "Referer": self.url} | headers
        return self.http.request(method, f"/api/v1{path}", json=body, headers=sent)

    def confirm(self) -> None:
        """Authenticate again, by the password."""
        send_form(self.http, "/accounts/reauthenticate/", {"password": self.password})

    def do(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Call the API and return the answer. Raises ``RuntimeError`` for a refusal."""
        answer = self.api(method, path, body)
        if answer.status_code >= 400:
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status_code} {answer.text}")
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result

    def client(self, scopes: list[str]) -> Client:
        """Make an API token with ``scopes`` for a day and return a client that uses it."""
        expires = (datetime.now(tz=UTC) + timedelta(days=1)).isoformat()
        token = self.do(
            "POST", "/tokens", {"name": "demo", "scopes": scopes, "expires_at": expires}
        )
        return Client(self.url, token["secret"])

    def decide(self, release: dict[str, Any], comment: str) -> dict[str, Any]:
        """Approve the release exactly as it was shown."""
        return self.do(
            "POST",
            f"/releases/{release['id']}/decisions",
            {
                "verdict": "approve",
                "statement_digest": release["request_digest"],
                "comment": comment,
            },
        )


def cookie(http: httpx.Client, name: str) -> str:
    """Return one of Placet's cookies, over TLS or not, '' when there is none."""
    found = (c.value for c in http.cookies.jar if c.name.removeprefix(cookies.HOST) == name)
    return next(found, None) or ""


def send_form(http: httpx.Client, path: str, data: dict[str, str]) -> httpx.Response:
    """Fill in the form at ``path`` and send it. Raises ``RuntimeError`` when there is none."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', http.get(path).text)
    if token is None:
        raise RuntimeError(f"{path} has no form")
    return http.post(
        path,
        data=data | {"csrfmiddlewaretoken": token[1]},
        headers={"Referer": f"{http.base_url}{path.lstrip('/')}"},
    )
