"""What a draft still lacks, and what it will be when it is frozen. Reads files, writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.registry import formats, rules, signing
from apps.registry.errors import FormatUnknown, NotReady
from apps.registry.models import ArtifactFile, ModelVersion, Upload
from apps.registry.store import Store, store
from placet.kernel.problems import FieldError
from placet_verify.errors import Refused
from placet_verify.signing.model_signature import FILE_NAME, SignatureCheck

WEIGHED = ("parameters", "lineage", "signature", "example", "expected")


@dataclass(frozen=True, slots=True)
class Frozen:
    """The fields of a version as they will stand for ever."""

    format: str
    python_version: str
    requirements: list[str]
    variables: list[str]
    signature: dict[str, Any] | None
    example: list[dict[str, Any]] | None
    expected: list[Any] | None
    signed: SignatureCheck | None = None  # what the model.sig among the files is worth


@dataclass(frozen=True, slots=True)
class DraftReport:
    """What a draft's files tell, and what keeps it from being finalised; no fault: it can be."""

    derived: formats.Derived | None  # None where the files are in no known format
    faults: Sequence[FieldError]


def faults(version: ModelVersion) -> Sequence[FieldError]:
    """Return what keeps a draft from being finalised, in words; nothing means it can be."""
    files = list(version.files.order_by("path"))
    return report(version, files, list(version.uploads.order_by("path"))).faults


def report(
    version: ModelVersion, files: list[ArtifactFile], uploads: Sequence[Upload]
) -> DraftReport:
    """Return what the files of a draft tell so far, and what it lacks."""
    unfinished = unfinished_faults(files, uploads)
    try:
        derived = recognise(files)
    except FormatUnknown as refusal:
        return DraftReport(None, unfinished or refusal.errors)
    if unfinished:
        return DraftReport(derived, unfinished)
    try:
        fill_in(version, derived)
        signed(version, files)
    except NotReady as refusal:
        return DraftReport(derived, refusal.errors)
    return DraftReport(derived, ())


def freeze(version: ModelVersion, files: list[ArtifactFile]) -> Frozen:
    """Return the fields of a draft as they will stand. Raises :class:`NotReady`, naming all."""
    if errors := unfinished_faults(files, version.uploads.order_by("path")):
        raise NotReady(errors=errors)
    return replace(fill_in(version, recognise(files)), signed=signed(version, files))


def manifest(files: list[ArtifactFile]) -> list[dict[str, Any]]:
    """Return ``[{path, size, sha256}]`` sorted by path: what the artifact digest is over."""
    return [
        {"path": file.path, "size": file.size, "sha256": file.sha256}
        for file in sorted(files, key=lambda file: file.path)
    ]


def unfinished_faults(files: list[ArtifactFile], uploads: Iterable[Upload]) -> list[FieldError]:
    """Return that a version has no files, or which are still on their way."""
    errors = [
        FieldError(f"/files/{u.path}", f"Its upload has {u.received} of {u.size} bytes")
        for u in uploads
    ]
    if not files and not errors:
        errors = [FieldError("/files", "Upload at least one file")]
    return errors


def recognise(files: list[ArtifactFile]) -> formats.Derived:
    """Return what files say about themselves. Raises :class:`FormatUnknown`, saying why."""
    name, view = read_files(files, store())
    return formats.derive(name, view)


def fill_in(version: ModelVersion, derived: formats.Derived) -> Frozen:
    """Return the version's fields with what the author left out taken from the files."""
    if version.format and version.format != derived.format:
        detail = f"The files are in the format {derived.format}, not {version.format}"
        raise NotReady(errors=[FieldError("/format", detail)])
    frozen = Frozen(
        format=derived.format,
        python_version=version.python_version or derived.python_version,
        requirements=version.requirements or derived.requirements or [],
        variables=version.variables or [*derived.variables],
        signature=version.signature or derived.signature,
        example=version.example or derived.example,
        expected=version.expected,
    )
    if derived.example is not None and version.example is None:
        faults = _size_faults(version, frozen)
        if version.signature is not None:
            faults += rules.example_faults(derived.example, version.signature)
        frozen = replace(frozen, example=None) if faults else frozen
    errors = _size_faults(version, frozen) or missing(frozen, derived)
    if errors:
        raise NotReady(errors=errors)
    return frozen


def _size_faults(version: ModelVersion, frozen: Frozen) -> list[FieldError]:
    """Return what is too large of a version as it will stand."""
    fields = {name: getattr(frozen, name, getattr(version, name)) for name in WEIGHED}
    return rules.size_faults(fields, rules.MAX_FROZEN_BYTES)


def signed(version: ModelVersion, files: list[ArtifactFile]) -> SignatureCheck | None:
    """Return what the ``model.sig`` among the files is worth; one that is wrong is refused."""
    try:
        return signing.inspect(version, files)
    except Refused as refusal:
        detail = f"{refusal.sentence[:1].upper()}{refusal.sentence[1:]}: sign anew or remove it"
        raise NotReady(errors=[FieldError(f"/files/{FILE_NAME}", detail)]) from None


def read_files(files: list[ArtifactFile], blobs: Store) -> tuple[str, formats.Files]:
    """Return the format of ``files`` and the view a format reads them through."""
    digests = {file.path: file.sha256 for file in files}
    view = formats.Files(
        sizes={file.path: file.size for file in files},
        reader=lambda path, limit: blobs.read(digests[path], limit=limit),
        opener=lambda path: blobs.open(digests[path]),
    )
    return formats.detect(view), view


def missing(frozen: Frozen, derived: formats.Derived) -> list[FieldError]:
    """Return what a finalised version must have and this one has not."""
    errors: list[FieldError] = []
    kind = formats.FORMATS[frozen.format]
    if frozen.signature is None and kind.project:
        if frozen.example is not None:
            errors.append(FieldError("/signature", "Say which inputs the example's API takes"))
    elif frozen.signature is None:
        signature_faults = [fault for fault in derived.faults if fault.pointer == "/signature"]
        errors += signature_faults or [
            FieldError("/signature", "Give the inputs and outputs: these files cannot tell them")
        ]
    elif frozen.example is not None:
        errors += rules.example_faults(frozen.example, frozen.signature)
    if not kind.project and "api" in (frozen.signature or {}):
        errors.append(FieldError("/signature/api", "Only a BentoML project has APIs of its own"))
    if frozen.expected is not None:
        expected = rules.expected_faults(frozen.expected, frozen.example)
        if not expected and frozen.signature and not kind.root:
            expected = rules.output_faults(frozen.expected, frozen.signature["outputs"])
        errors += expected
    errors += rules.requirement_faults(frozen.requirements)
    errors += rules.variable_faults(frozen.variables)
    if lacking := kind.lacking(frozen.requirements):
        errors.append(FieldError("/requirements", lacking))
    return errors
