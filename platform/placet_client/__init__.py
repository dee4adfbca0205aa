"""The typed client of Placet's REST API, and the ``placet`` command."""

from placet_client.client import Client
from placet_client.errors import (
    BadAnswer,
    Conflict,
    Denied,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PlacetError,
    ServerFault,
    Stale,
    TooManyRequests,
    Unreachable,
)

__all__ = [
    "BadAnswer",
    "Client",
    "Conflict",
    "Denied",
    "InvalidRequest",
    "NotFound",
    "NotSignedIn",
    "PlacetError",
    "ServerFault",
    "Stale",
    "TooManyRequests",
    "Unreachable",
]
__version__ = "0.2.0"
