"""What the identity provider answers, within bounds before django-allauth reads it."""

import time
from typing import Any

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from requests import ConnectionError as NoAnswer
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from placet.kernel.api.parsers import strict_loads
from placet.kernel.problems import InvalidInput

MAX_BYTES = 1 << 20
SECONDS = 15.0  # from the head to the end
PIECE = 1 << 16


class BadAnswer(OAuth2Error):  # type: ignore[misc]
    """What the provider answered cannot be used; the text says why, and holds nothing of it."""


class Bounded(HTTPAdapter):
    """Takes what is one JSON object and not too long; raises ``NoAnswer`` otherwise."""

    def send(self, request: PreparedRequest, **how: Any) -> Response:  # type: ignore[override]
        """Send it, and read the answer to its end."""
        answer = super().send(request, **how | {"stream": True})
        answer._content = received(answer)
        answer._content_consumed = True
        if answer.ok and not answer.is_redirect:
            check(answer.content)
            answer.headers["Content-Type"] = "application/json"  # allauth trips where there is none
        return answer


def received(answer: Response) -> bytes:
    """Read an answer that may come in as many small pieces as the other side likes."""
    end, body = time.monotonic() + SECONDS, bytearray()
    for piece in answer.iter_content(PIECE):
        body += piece
        if len(body) > MAX_BYTES:
            answer.close()
            raise NoAnswer(f"The provider's answer has more than {MAX_BYTES} bytes")
        if time.monotonic() > end:
            answer.close()
            raise NoAnswer("The provider's answer did not come to its end in time")
    return bytes(body)


def check(raw: bytes) -> None:
    """Raise ``NoAnswer`` unless this is one object."""
    try:
        document = strict_loads(raw)
    except InvalidInput as fault:
        raise NoAnswer(f"The provider's answer is not understood: {fault}") from None
    if not isinstance(document, dict):
        raise NoAnswer("The provider's answer is no JSON object")


def bounded(session: Session) -> Session:
    """Return a session all of whose answers are bounded."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, Bounded())
    return session
