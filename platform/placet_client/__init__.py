"""The typed client of Placet's REST API, and the ``placet`` command."""

from placet_client.client import Client, PlacetError

__all__ = ["Client", "PlacetError"]
__version__ = "0.1.0"
