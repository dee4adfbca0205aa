"""What is asked: each kind of request, and the answer that is its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

MODELS = "/api/v1/projects/risk/models"
JSON = {"Content-Type": "application/json"}
GOOD, REFUSED, UNREAD = "good", "refused", "unread"  # what of the sentence a kind is
LARGE = {"refused, large", "too large"}  # nobody sends these behind one another


@dataclass(frozen=True)
class Kind:
    """A kind of request. ``#`` in path, body and answer stands for the request's own number."""

    of: str
    method: str
    path: str
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    known: bool = True  # by whom: a token
    answer: bytes = b""  # stands in it
    chunked: bool = False
    has_id: bool = True  # the answer says ``X-Request-ID``


FINALISE = f"{MODELS}/churn/versions/1/finalise"
KINDS = {
    "read": Kind(GOOD, "GET", f"{MODELS}/churn", 200, answer=b'"name":"churn"'),
    "listed": Kind(GOOD, "GET", MODELS, 200, answer=b'{"items":['),
    "looked at": Kind(GOOD, "HEAD", MODELS, 200),
    "made": Kind(GOOD, "POST", MODELS, 201, b'{"name": "m-#"}', JSON, answer=b'"m-#"'),
    "asks before its body": Kind(
        GOOD,
        "POST",
        MODELS,
        201,
        b'{"name": "e-#"}',
        JSON | {"Expect": "100-continue"},
        answer=b'"e-#"',
    ),
    "page": Kind(GOOD, "GET", "/accounts/login/", 200, known=False, answer=b"</html>"),
    "there already": Kind(REFUSED, "POST", MODELS, 409, b'{"name": "churn"}', JSON),
    "not there": Kind(REFUSED, "GET", f"{MODELS}/none-#", 404),
    "in pieces": Kind(UNREAD, "POST", MODELS, 411, b'{"name": "p-#"}', JSON, chunked=True),
    "no name": Kind(REFUSED, "POST", MODELS, 400, b'{"name": "#', JSON),
    "not read": Kind(UNREAD, "POST", FINALISE, 409, b"{}", JSON),
    "not read, in pieces": Kind(UNREAD, "POST", FINALISE, 411, b"{}", JSON, chunked=True),
    "nobody": Kind(UNREAD, "POST", MODELS, 401, b'{"name": "x"}', JSON, known=False),
    "refused, large": Kind(UNREAD, "POST", MODELS, 401, b"x" * 300_000, JSON, known=False),
    "nowhere": Kind(UNREAD, "POST", "/api/v1/nothing-#", 404, b"{}" * 50, JSON),
    "no such method": Kind(UNREAD, "DELETE", MODELS, 405, b"{}", JSON),
    "another type": Kind(UNREAD, "POST", MODELS, 415, b"a=1", {"Content-Type": "text/plain"}),
    "too large": Kind(UNREAD, "POST", MODELS, 413, b" " * 2_200_000, JSON),
    "form of nobody": Kind(UNREAD, "POST", "/tokens/new", 403, b"name=x", known=False),
    "probe": Kind(
        UNREAD, "POST", "/livez", 200, b"{}" * 50, JSON, answer=b'{"status": "ok"}', has_id=False
    ),
}


@dataclass(frozen=True)
class Asked:
    """One request: what is sent, and whose answer is right."""

    kind: str
    id: str
    raw: bytes

    @property
    def method(self) -> str:
        """Its method."""
        return KINDS[self.kind].method

    def fault(self, status: int, header: Callable[[str], str | None], body: bytes) -> str:
        """Return what is wrong with an answer; '' when it is this request's own."""
        kind = KINDS[self.kind]
        if status != kind.status:
            return f"{status}, not {kind.status}: {body[:80]!r}"
        if kind.has_id and (got := header("X-Request-ID")) != self.id:
            return f"the answer to {got}"
        if kind.answer.replace(b"#", self.id.encode()) not in body:
            return f"another body: {body[:80]!r}"
        if not kind.has_id and header("X-Request-ID"):
            return "the answer to another request"
        return ""


def asked(name: str, number: int, token: str) -> Asked:
    """Return a request of a kind, with its own id."""
    kind, own = KINDS[name], str(UUID(int=number))
    body = kind.body.replace(b"#", own.encode())
    lines = [f"{kind.method} {kind.path.replace('#', own)} HTTP/1.1", "Host: localhost"]
    lines.append(f"X-Request-ID: {own}")
    lines += [f"{key}: {value}" for key, value in kind.headers.items()]
    if kind.known:
        lines.append(f"Authorization: Bearer {token}")
    if kind.chunked:
        lines.append("Transfer-Encoding: chunked")
        middle = len(body) // 2
        pieces = [body[:middle], body[middle:], b""]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    elif body:
        lines.append(f"Content-Length: {len(body)}")
    return Asked(name, own, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
