# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Builds, and the Bentos that they make."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeTest(Record):
    """What the smoke test of a Bento found: of its example's rows, how many were predicted as the
    version expects."""

    result: str  # `equal`, `starts`, `different` or `failed`
    rows: int
    equal: int
    detail: str  # What differs, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Build(Record):
    """A version being turned into a Bento."""

    id: str
    version: str
    name: str  # model:number
    state: str
    step: str
    isolation: str
    error: str
    bento_digest: str
    requested_by: str
    job: str
    timings: dict[str, float]
    accelerate: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    # The newest of its Bento; None where it has none. `different` fails no build
    smoke_test: SmokeTest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine(Record):
    """One line of a build's log."""

    number: int
    at: datetime
    step: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLog(Record):
    """Part of a build's log; ask again with ``after`` until ``ended`` and no lines are left."""

    lines: tuple[LogLine, ...]
    after: int  # the number of the last line here
    state: str
    step: str
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bento(Record):
    """What is approved and served, byte for byte."""

    digest: str
    version: str
    name: str  # model:number
    project: str
    build: str
    isolation: str
    runtime: str
    python_version: str
    size: int
    sbom_sha256: str
    has_model_signature: bool  # Tell whether ``model.sig`` can be fetched.
    accelerated: bool  # answers with the model's ONNX form
    slim: bool  # can be served without BentoML
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel(Record):
    """One package of a runtime."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime(Record):
    """A Python and its locked packages."""

    digest: str
    python_version: str
    lock: str
    wheels: tuple[Wheel, ...]
    created_at: datetime
