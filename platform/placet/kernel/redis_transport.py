"""Kombu's Redis transport, but what is no message is dropped.

Whoever reaches the broker can put anything into a queue. Kombu lets the error out of its event
loop, which ends the worker; its supervisor gives up a worker that keeps ending.
"""

from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

log = structlog.get_logger(__name__)


class Channel(kombu_redis.Channel):
    """Reads the queues of one connection."""

    def _brpop_read(self, **options: Any) -> Any:
        """Read one message and hand it on. A ring may be lost: the workers look by themselves."""
        held, transport = set(self.qos._delivered or ()), self.connection
        passed_on: Any = (Empty, *transport.connection_errors, *transport.channel_errors)
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # not in the stubs
        except passed_on:
            raise
        except Exception as error:
            log.warning("not_a_message", error=f"{type(error).__name__}: {error}"[:200])
            new = set(self.qos._delivered or ()) - held
            for tag in new:  # or they would count as under way for ever
                self.qos.reject(tag)
            raise Empty from None


class Transport(kombu_redis.Transport):
    """Takes the place of kombu's own for ``redis://``, ``rediss://`` and ``redis+socket://``."""

    Channel = Channel


def install() -> None:
    """Have every broker URL of Redis use it."""
    name = f"{__name__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update(redis=name, rediss=name)
