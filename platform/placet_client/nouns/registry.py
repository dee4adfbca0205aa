"""Models, versions, aliases, evidence."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from placet_client.nouns.base import Listing, Noun, at, changed, given, moment
from placet_client.records import (
    Alias,
    Comparison,
    Declaration,
    Evidence,
    Model,
    Readiness,
    RenderedCard,
    SigningKey,
    Tags,
    Version,
    VersionSummary,
)
from placet_client.records.base import Json


class DraftFacts(TypedDict, total=False):
    """What is frozen when a version is finalised."""

    format: str
    python_version: str
    requirements: Sequence[str]
    variables: Sequence[str]
    parameters: Json
    lineage: Json
    signature: Json | None
    example: Sequence[Json] | None
    expected: Sequence[Any] | None


class VersionFacts(DraftFacts, total=False):
    """What a new version may be given."""

    tags: Mapping[str, str]
    card: str


class Models(Noun):
    """Named models."""

    def list(self, project: str, *, limit: int | None = None) -> Listing[Model]:
        """List the models of a project."""
        return self._list(Model, at("projects", project, "models"), limit)

    def get(self, project: str, name: str) -> Model:
        """Read a model."""
        return self._read(Model, at("projects", project, "models", name))

    def create(self, project: str, name: str, *, description: str = "") -> Model:
        """Make an empty model."""
        body = given(name=name, description=description)
        return self._do(Model, at("projects", project, "models"), body)

    def update(
        self, project: str, name: str, *, description: str | None = None, if_match: str = ""
    ) -> Model:
        """Change what people read of a model."""
        path = at("projects", project, "models", name)
        return self._change(Model, "PATCH", path, changed({"description": description}), if_match)


class Aliases(Noun):
    """Names that point at versions, like ``champion``."""

    def list(self, project: str, model: str, *, limit: int | None = None) -> Listing[Alias]:
        """List the aliases of a model."""
        return self._list(Alias, self._of(project, model), limit)

    def get(self, project: str, model: str, alias: str) -> Alias:
        """Read an alias."""
        return self._read(Alias, self._of(project, model, alias))

    def set(
        self, project: str, model: str, alias: str, version: int, *, if_match: str = ""
    ) -> Alias:
        """Point an alias at a version; it is made when it is missing."""
        path, body = self._of(project, model, alias), {"version": version}
        return self._change(Alias, "PUT", path, body, if_match, new=True)

    def delete(self, project: str, model: str, alias: str, *, if_match: str = "") -> None:
        """Take an alias away."""
        self._delete(self._of(project, model, alias), if_match)

    def _of(self, project: str, model: str, *more: object) -> str:
        return at("projects", project, "models", model, "aliases", *more)


class Versions(Noun):
    """Numbered versions: drafts until they are finalised, then frozen."""

    def list(
        self, project: str, model: str, *, state: str = "", limit: int | None = None
    ) -> Listing[VersionSummary]:
        """List the versions of a model, newest first."""
        return self._list(VersionSummary, self._of(project, model), limit, state=state)

    def get(self, project: str, model: str, number: int) -> Version:
        """Read a version."""
        return self._read(Version, self._of(project, model, number))

    def create(
        self, project: str, model: str, *, idempotency_key: str = "", **facts: Unpack[VersionFacts]
    ) -> Version:
        """Make the next version, as a draft."""
        return self._do(Version, self._of(project, model), {**facts}, idempotency_key)

    def edit(
        self,
        project: str,
        model: str,
        number: int,
        *,
        if_match: str = "",
        **facts: Unpack[DraftFacts],
    ) -> Version:
        """Change facts of a draft; what is not named stays."""
        path = self._of(project, model, number)
        return self._change(Version, "PATCH", path, {**facts}, if_match)

    def discard(self, project: str, model: str, number: int, *, if_match: str = "") -> None:
        """Discard a draft with its files; no other version gets its number."""
        self._delete(self._of(project, model, number), if_match)

    def missing(self, project: str, model: str, number: int) -> Readiness:
        """Tell what a draft lacks before it can be finalised."""
        return self._read(Readiness, self._of(project, model, number, "finalise"))

    def finalise(self, project: str, model: str, number: int) -> Version:
        """Freeze a draft."""
        return self._do(Version, self._of(project, model, number, "finalise"))

    def compare(self, project: str, model: str, a: int, b: int) -> Comparison:
        """Tell how two versions differ."""
        return self._read(Comparison, self._of(project, model, a, "compare", b))

    def tags(self, project: str, model: str, number: int) -> Tags:
        """Read the tags of a version."""
        return self._read(Tags, self._of(project, model, number, "tags"))

    def set_tags(
        self, project: str, model: str, number: int, tags: Mapping[str, str], *, if_match: str = ""
    ) -> Version:
        """Replace the tags of a version."""
        path, body = self._of(project, model, number, "tags"), {"tags": dict(tags)}
        return self._change(Version, "PUT", path, body, if_match)

    def card(self, project: str, model: str, number: int) -> RenderedCard:
        """Read the model card."""
        return self._read(RenderedCard, self._of(project, model, number, "card"))

    def set_card(
        self, project: str, model: str, number: int, card: str, *, if_match: str = ""
    ) -> Version:
        """Replace the model card by Markdown."""
        path = self._of(project, model, number, "card")
        return self._change(Version, "PUT", path, {"card": card}, if_match)

    def download(
        self,
        project: str,
        model: str,
        number: int,
        path: str,
        to: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Write one file of a version to ``to``; return its size."""
        return self._save(self._file(project, model, number, path), to, progress=progress)

    def delete_file(
        self, project: str, model: str, number: int, path: str, *, if_match: str = ""
    ) -> None:
        """Take a file out of a draft."""
        self._delete(self._file(project, model, number, path), if_match)

    def ml_bom(self, project: str, model: str, number: int) -> bytes:
        """Return the ML bill of materials (CycloneDX 1.7 with a model card)."""
        return self._bytes(self._of(project, model, number, "ml-bom"))

    def _of(self, project: str, model: str, *more: object) -> str:
        return at("projects", project, "models", model, "versions", *more)

    def _file(self, project: str, model: str, number: int, path: str) -> str:
        return self._of(project, model, number, "files", *path.split("/"))


class EvidenceOfVersions(Noun):
    """Facts about versions."""

    def list(
        self,
        project: str,
        model: str,
        number: int,
        *,
        kind: str = "",
        source: str = "",
        limit: int | None = None,
    ) -> Listing[Evidence]:
        """List what is known about a version."""
        path = self._of(project, model, number)
        return self._list(Evidence, path, limit, kind=kind, source=source)

    def get(self, project: str, model: str, number: int, evidence: str) -> Evidence:
        """Read one fact."""
        return self._read(Evidence, self._of(project, model, number, evidence))

    def add(
        self,
        project: str,
        model: str,
        number: int,
        kind: str,
        data: Json,
        *,
        source: str = "",
        bento_digest: str = "",
        idempotency_key: str = "",
    ) -> Evidence:
        """Report a fact."""
        body = given(kind=kind, source=source, bento_digest=bento_digest) | {"data": data}
        return self._do(Evidence, self._of(project, model, number), body, idempotency_key)

    def _of(self, project: str, model: str, number: int, *more: object) -> str:
        return at("projects", project, "models", model, "versions", number, "evidence", *more)


class SigningKeys(Noun):
    """Keys whose signatures over models (``model.sig``) a project trusts."""

    def list(self, project: str, *, limit: int | None = None) -> Listing[SigningKey]:
        """List the keys of a project, revoked ones too."""
        return self._list(SigningKey, self._of(project), limit)

    def trust(
        self, project: str, label: str, pem: str, *, valid_until: datetime | str | None = None
    ) -> SigningKey:
        """Trust a public key (PEM; P-256, P-384 or P-521)."""
        body = given(label=label, pem=pem, valid_until=moment(valid_until))
        return self._do(SigningKey, self._of(project), body)

    def revoke(self, project: str, key: str) -> SigningKey:
        """Revoke a key: nothing that it signed passes a gate any more."""
        return self._do(SigningKey, self._of(project, key, "revoke"))

    def _of(self, project: str, *more: object) -> str:
        return at("projects", project, "signing-keys", *more)


class Declarations(Noun):
    """Who owns the data and who wrote the code, as people declared it."""

    def list(
        self, project: str, *, about: str = "", limit: int | None = None
    ) -> Listing[Declaration]:
        """List what was declared in a project, about one data set or version or about all."""
        return self._list(Declaration, at("projects", project, "declarations"), limit, about=about)

    def declare(self, project: str, fact: str, about: str, person: str) -> Declaration:
        """Declare that a person (id or e-mail address) is ``data_owner`` of the data set with the
        digest ``about``, or ``code_author`` of the version with that id. It stays."""
        body = given(fact=fact, about=about, person=person)
        return self._do(Declaration, at("projects", project, "declarations"), body)
