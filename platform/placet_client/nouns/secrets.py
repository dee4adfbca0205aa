"""Secrets of environments."""

from placet_client.nouns.base import Listing, Noun, at
from placet_client.records import Secret


class Secrets(Noun):
    """Names of secrets, and values that are set and never read."""

    def list(self, project: str, environment: str, *, limit: int | None = None) -> Listing[Secret]:
        """List the secrets of an environment, without their values."""
        return self._list(Secret, self._of(project, environment), limit)

    def get(self, secret: str) -> Secret:
        """Read a secret: its versions, without values."""
        return self._read(Secret, at("secrets", secret))

    def set(self, project: str, environment: str, name: str, value: str) -> Secret:
        """Set the value of a secret: its first, or its next version."""
        return self._do(Secret, self._of(project, environment), {"name": name, "value": value})

    def rotate(self, secret: str, value: str) -> Secret:
        """Set the next version of a secret: replicas that use it are started anew with it."""
        return self._do(Secret, at("secrets", secret, "rotate"), {"value": value})

    def revoke(self, secret: str) -> Secret:
        """Revoke a secret that nothing uses."""
        return self._do(Secret, at("secrets", secret, "revoke"))

    def _of(self, project: str, environment: str) -> str:
        return at("projects", project, "environments", environment, "secrets")
