# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Models, their versions, and what is known about them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_client.records.base import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Record):
    """A named model."""

    id: str
    project: str
    name: str
    description: str
    created_by: str
    created_at: datetime
    version_count: int
    latest_number: int | None
    latest_state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile(Record):
    """One file of a version."""

    id: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary(Record):
    """A version as lists show it."""

    id: str
    project: str
    model: str
    number: int
    state: str
    format: str
    artifact_digest: str
    author: str
    created_by: str
    tags: dict[str, str]
    created_at: datetime
    finalised_at: datetime | None
    recalled: bool  # Whether it, or data that it was trained on, is recalled: no release of it runs
    recalled_because: str  # In a sentence; '' if it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(VersionSummary):
    """A version with all its facts but its evidence; frozen once it is finalised."""

    python_version: str
    requirements: tuple[str, ...]
    # The names of variables that the version reads, and a release may set
    variables: tuple[str, ...]
    parameters: Json
    lineage: Json
    signature: Json | None
    example: tuple[Json, ...] | None
    expected: tuple[Any, ...] | None
    card: str
    files: tuple[ArtifactFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing(Record):
    """One thing that a draft lacks or has wrong."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(Record):
    """What a draft lacks before it can be finalised."""

    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags(Record):
    """All tags of a version."""

    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedCard(Record):
    """A model card as it was written, its front matter, and its Markdown as sanitised HTML."""

    card: str
    data: Json
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(Record):
    """A name that points at a version; ``managed_by`` an endpoint when releases move it."""

    name: str
    version: int
    version_id: str
    managed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Record):
    """A fact about a version, reported by somebody or measured by Placet."""

    id: str
    kind: str
    source: str
    data: Json
    digest: str
    bento_digest: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Record):
    """A file on its way in; ``received`` is the offset of the next chunk."""

    id: str
    path: str
    size: int
    sha256: str
    archive: bool
    received: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedUpload(Record):
    """Where to send a file's bytes, or the file when the server has them."""

    upload: Upload | None
    file: ArtifactFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedUpload(Record):
    """The files that an upload became."""

    files: tuple[ArtifactFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedVersion(Record):
    """One side of a comparison."""

    id: str
    label: str
    number: int
    artifact_digest: str
    format: str
    python_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration(Record):
    """Somebody said who owns a data set, or who wrote the code that trained a version."""

    id: str
    fact: str
    about: str  # Digest of the data set, or id of the version
    person: str
    declared_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(Record):
    """A key whose signatures over models a project trusts."""

    id: str
    label: str
    fingerprint: str
    pem: str
    valid_until: datetime | None
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Record):
    """One line of a comparison; ``change`` is the difference of two numbers."""

    name: str
    before: Any
    after: Any
    state: str
    change: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Record):
    """How version ``b`` differs from version ``a``; ``card`` is a unified diff."""

    a: ComparedVersion
    b: ComparedVersion
    metrics: tuple[Change, ...]
    parameters: tuple[Change, ...]
    inputs: tuple[Change, ...]
    outputs: tuple[Change, ...]
    requirements: tuple[Change, ...]
    files: tuple[Change, ...]
    datasets: tuple[Change, ...]
    code: tuple[Change, ...]
    card: tuple[str, ...]
