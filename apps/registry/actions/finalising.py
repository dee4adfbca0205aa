"""Freezing a version: its files are recognised, what they say is filled in, all is checked."""

from dataclasses import dataclass, replace
from typing import Any

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.registry import formats, rules
from apps.registry.actions.locking import lock_version
from apps.registry.errors import AlreadyFinalised, ChangedMeanwhile, NotReady
from apps.registry.events import VERSION_FINALISED
from apps.registry.models import ArtifactFile, ModelVersion, VersionState
from apps.registry.store import Store, store
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now
from placet.kernel.faults import crash_point
from placet.kernel.problems import FieldError
from placet.kernel.states import move
from placet_verify import canonical

FILLED_IN = ("format", "python_version", "requirements", "signature", "example")


@dataclass(frozen=True, slots=True)
class Frozen:
    """The fields of a version as they will stand for ever."""

    format: str
    python_version: str
    requirements: list[str]
    signature: dict[str, Any] | None
    example: list[dict[str, Any]] | None
    expected: list[Any] | None


def finalise(version: ModelVersion, *, actor: Actor) -> ModelVersion:
    """Freeze a draft. Raises :class:`NotReady` naming everything that is missing.

    Files are read before the transaction; whoever changes the draft meanwhile wins, and the
    caller is told so.
    """
    row = ModelVersion.objects.select_related("model", "project").get(pk=version.pk)
    authorize(actor, "version.edit", row, view="version.view")
    if row.state != VersionState.DRAFT:
        raise AlreadyFinalised
    files = list(row.files.order_by("path"))
    refuse_unfinished(row, files)
    frozen = fill_in(row, files)
    crash_point("registry.before_finalise")
    with record(actor) as log:
        locked = lock_version(row, actor, "version.edit")
        if locked.state != VersionState.DRAFT:
            raise AlreadyFinalised
        changes = {name: getattr(frozen, name) for name in FILLED_IN}
        if locked.generation != row.generation or not move(
            locked,
            expected=VersionState.DRAFT,
            to=VersionState.FINALISED,
            artifact_digest=canonical.digest(manifest(files)),
            finalised_at=database_now(),
            **changes,
        ):
            raise ChangedMeanwhile
        log.add(VERSION_FINALISED, locked, data={"number": locked.number})
    return locked


def manifest(files: list[ArtifactFile]) -> list[dict[str, Any]]:
    """Return ``[{path, size, sha256}]`` sorted by path: what the artifact digest is over."""
    return [
        {"path": file.path, "size": file.size, "sha256": file.sha256}
        for file in sorted(files, key=lambda file: file.path)
    ]


def refuse_unfinished(version: ModelVersion, files: list[ArtifactFile]) -> None:
    """Refuse a version without files or with files still on their way."""
    errors = [
        FieldError(f"/files/{u.path}", f"Its upload has {u.received} of {u.size} bytes")
        for u in version.uploads.order_by("path")
    ]
    if not files and not errors:
        errors = [FieldError("/files", "Upload at least one file")]
    if errors:
        raise NotReady(errors=errors)


def fill_in(version: ModelVersion, files: list[ArtifactFile]) -> Frozen:
    """Return the version's fields with what the author left out taken from the files."""
    found = read_files(files, store())
    derived = formats.derive(found[0], found[1])
    if version.format and version.format != derived.format:
        detail = f"The files are in the format {derived.format}, not {version.format}"
        raise NotReady(errors=[FieldError("/format", detail)])
    frozen = Frozen(
        format=derived.format,
        python_version=version.python_version or derived.python_version,
        requirements=version.requirements or derived.requirements or [],
        signature=version.signature or derived.signature,
        example=version.example or derived.example,
        expected=version.expected,
    )
    if derived.example is not None and version.example is None and version.signature is not None:
        fits = not rules.example_faults(derived.example, version.signature)
        frozen = frozen if fits else replace(frozen, example=None)
    errors = missing(frozen, derived)
    if errors:
        raise NotReady(errors=errors)
    return frozen


def read_files(files: list[ArtifactFile], blobs: Store) -> tuple[str, formats.Files]:
    """Return the format of ``files`` and the view a format reads them through."""
    digests = {file.path: file.sha256 for file in files}
    view = formats.Files(
        sizes={file.path: file.size for file in files},
        reader=lambda path, limit: blobs.read(digests[path], limit=limit),
    )
    return formats.detect(view), view


def missing(frozen: Frozen, derived: formats.Derived) -> list[FieldError]:
    """Return what a finalised version must have and this one has not."""
    errors: list[FieldError] = []
    if frozen.signature is None:
        told = [fault for fault in derived.faults if fault.pointer == "/signature"]
        errors += told or [
            FieldError("/signature", "Give the inputs and outputs: these files cannot tell them")
        ]
    elif frozen.example is not None:
        errors += rules.example_faults(frozen.example, frozen.signature)
    if frozen.expected is not None:
        errors += rules.expected_faults(frozen.expected, frozen.example)
    errors += rules.requirement_faults(frozen.requirements)
    if frozen.format == "sklearn" and not rules.pinned_version(frozen.requirements, "scikit-learn"):
        errors.append(
            FieldError(
                "/requirements",
                "Pin scikit-learn to the version it was trained with: scikit-learn==1.7.2",
            )
        )
    if frozen.format == "mlflow" and not frozen.requirements:
        errors.append(
            FieldError("/requirements", "The folder has no requirements.txt: give them yourself")
        )
    return errors
