"""Deployments."""

from placet_client.nouns.base import Listing, Noun
from placet_client.records import Deployment


class Deployments(Noun):
    """What served when, and who approved it."""

    def list(
        self, *, at: str = "", project: str = "", environment: str = "", limit: int | None = None
    ) -> Listing[Deployment]:
        """List what served behind each endpoint at an instant (RFC 3339; now unless it is given),
        as the log and the nodes' receipts say."""
        query = {"at": at, "project": project, "environment": environment}
        return self._list(Deployment, "/deployments", limit, **query)
