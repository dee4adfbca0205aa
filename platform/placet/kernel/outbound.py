"""Outbound HTTP: short, bounded, never redirected, never by way of a proxy from the environment."""

import ssl
from dataclasses import dataclass
from functools import lru_cache

import httpx

from placet.config import config

MAX_ANSWER = 4 * 1024 * 1024


class OutboundFailed(Exception):
    """The other side did not answer, or not as it should; the text says why in words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


@lru_cache
def _trusted() -> ssl.SSLContext | bool:
    """Return who may vouch for the other side, read once."""
    own = config().ca_file
    return ssl.create_default_context(cafile=own) if own else True


def post(
    url: str,
    *,
    body: bytes,
    headers: dict[str, str],
    timeout: float = 10.0,
    limit: int = MAX_ANSWER,
) -> Answer:
    """POST ``body`` and return the answer, whatever its status.

    Call it outside any transaction. Raises :class:`OutboundFailed` on a timeout, a refused
    connection or an answer of more than ``limit`` bytes. A redirect is an answer like any other:
    it is not followed.
    """
    try:
        with (
            httpx.Client(
                timeout=timeout, follow_redirects=False, trust_env=False, verify=_trusted()
            ) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            received = bytearray()
            for piece in response.iter_bytes():
                received += piece
                if len(received) > limit:
                    raise OutboundFailed(f"The answer has more than {limit} bytes")
        return Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(received),
            seconds=response.elapsed.total_seconds(),
        )
    except httpx.TimeoutException:
        raise OutboundFailed(f"There was no answer within {timeout:g} s") from None
    except httpx.HTTPError as error:
        raise OutboundFailed(f"The call failed: {type(error).__name__}") from None
