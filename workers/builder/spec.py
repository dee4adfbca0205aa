"""What a build is given and what it gives back, as plain values: no database stands behind them."""

from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

from apps.registry.formats import PROJECTS
from placet_verify.signing.model_signature import ModelSigningKey
from placet_verify.signing.model_signature import SignatureCheck as Signed
from workers.builder.runtimes import RuntimeSpec

Verdict = Literal["safe", "code-carrying", "malicious", "unknown"]
SmokeWord = Literal["equal", "starts", "different", "failed"]


class Column(TypedDict):
    """One named input or output of a model."""

    name: str
    type: str
    required: NotRequired[bool]
    shape: NotRequired[list[int]]
    tags: NotRequired[list[str]]


class Signature(TypedDict):
    """What a model takes and gives."""

    inputs: list[Column]
    outputs: NotRequired[list[Column]]
    api: NotRequired[str]  # the API that the example is sent to; of BentoML projects alone


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the version's artifact, in the store by its hash."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """A finalised version, as far as a build needs it."""

    build: str
    project: str
    version: str
    model: str
    number: int
    format: str
    artifact_digest: str
    files: tuple[SourceFile, ...]
    signature: Signature | None
    python_version: str = ""
    requirements: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()  # the names that a release may set
    example: list[dict[str, Any]] | None = None
    expected: list[Any] | None = None
    memory_mb: int = 4096
    seconds: int = 900
    accelerate: bool = False
    trusted: tuple[ModelSigningKey, ...] = ()  # whose model.sig counts in the project

    @property
    def name(self) -> str:
        """Return ``model:number``."""
        return f"{self.model}:{self.number}"

    @property
    def own(self) -> bool:
        """Tell whether the version is a BentoML project, with APIs of its own."""
        return self.format in PROJECTS

    @property
    def api(self) -> str:
        """Return the API that the example is sent to."""
        named = self.signature.get("api") if self.signature else None
        return named or "predict"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the scanner saw in one file."""

    path: str
    what: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Scan:
    """The scanner's verdict on an artifact."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    scanner: dict[str, str]
    files: int = 0
    types: tuple[str, ...] = ()  # what skops files are made of, as far as it may be loaded
    finished: bool = True  # one that was cut off says nothing of the files
    spent: bool = False  # it took all time or memory that there was: another try would too


@dataclass(frozen=True, slots=True)
class Smoke:
    """What the built service answered in the sandbox."""

    result: SmokeWord
    rows: int
    equal: int
    isolation: str
    seconds: float
    detail: str = ""
    slim: bool = False  # whether it answered the same, byte for byte, without BentoML
    cold_start_seconds: float | None = None  # from its start until it was ready
    slim_cold_start_seconds: float | None = None  # the same without BentoML


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Whether the Bento answers with the model's ONNX form, and the comparison that decided it."""

    verdict: Literal["accelerated", "original"]
    rows: int
    equal: int
    max_absolute: float
    max_relative: float
    absolute: float
    relative: float
    converters: dict[str, str]
    detail: str

    @property
    def sentence(self) -> str:
        """Return the outcome as the log says it."""
        if self.verdict == "original":
            return f"The original model is served. {self.detail}"
        return f"{self.detail}, at most {self.max_absolute:.3g} apart: its ONNX form is served"


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """Bytes in the store: SHA-256 as hex, and size."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class BuildResult:
    """Everything that a successful build made."""

    bento: StoredBlob
    runtime: RuntimeSpec
    scan: Scan
    smoke: Smoke
    sbom: StoredBlob
    components: int
    provenance: str
    model_signature: str
    isolation: str
    timings: dict[str, float] = field(default_factory=dict)
    acceleration: Acceleration | None = None
    signed: Signed | None = None  # what the version's own model.sig is worth

    @property
    def bento_digest(self) -> str:
        """Return the digest that people approve."""
        return f"sha256:{self.bento.sha256}"
