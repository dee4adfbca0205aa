"""Builds, and the Bentos and runtimes that they make."""

from placet_client.nouns.base import Listing, Noun, at
from placet_client.records import Bento, Build, BuildLog, Runtime


class Builds(Noun):
    """Versions being turned into Bentos."""

    def list(
        self, project: str, model: str, number: int, *, limit: int | None = None
    ) -> Listing[Build]:
        """List the builds of a version, newest first."""
        return self._list(Build, self._of(project, model, number), limit)

    def get(self, build: str) -> Build:
        """Read a build."""
        return self._read(Build, at("builds", build))

    def start(
        self,
        project: str,
        model: str,
        number: int,
        *,
        accelerate: bool = False,
        idempotency_key: str = "",
    ) -> Build:
        """Build a version; ``accelerate`` serves its ONNX form if its answers are equal."""
        path, body = self._of(project, model, number), {"accelerate": accelerate}
        return self._do(Build, path, body, idempotency_key)

    def cancel(self, build: str) -> Build:
        """Stop a build."""
        return self._do(Build, at("builds", build, "cancel"))

    def log(self, build: str, *, after: int = 0) -> BuildLog:
        """Read the log's lines behind number ``after``."""
        return self._read(BuildLog, at("builds", build, "log"), after=after)

    def _of(self, project: str, model: str, number: int) -> str:
        return at("projects", project, "models", model, "versions", number, "builds")


class Bentos(Noun):
    """What is approved and served. Signed documents come as the bytes that were signed."""

    def get(self, digest: str) -> Bento:
        """Read a Bento."""
        return self._read(Bento, at("bentos", digest))

    def sbom(self, digest: str) -> bytes:
        """Return its SBOM (CycloneDX JSON)."""
        return self._bytes(at("bentos", digest, "sbom"))

    def provenance(self, digest: str) -> bytes:
        """Return its signed provenance (DSSE)."""
        return self._bytes(at("bentos", digest, "provenance"))

    def model_signature(self, digest: str) -> bytes:
        """Return the OpenSSF signature of the model's files."""
        return self._bytes(at("bentos", digest, "model-signature"))


class Runtimes(Noun):
    """Pythons with their locked packages."""

    def get(self, digest: str) -> Runtime:
        """Read a runtime."""
        return self._read(Runtime, at("runtimes", digest))
