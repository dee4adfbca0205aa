"""The page of a draft: its checklist, its files, and a form for each part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.console.queries.draft.forms import (
    CardForm,
    MetricsForm,
    OriginForm,
    RuntimeForm,
)
from apps.console.queries.draft.rows import TypedForm
from apps.console.queries.draft.signature import SignatureForm
from apps.console.queries.draft.stored import digest_of, stored_of
from apps.console.queries.models import newest_metrics
from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import size
from apps.identity.queries import scope_of
from apps.registry.actions import held_beside
from apps.registry.actions.unpacking import MAX_FILES
from apps.registry.actions.versions import COPIED
from apps.registry.formats import FORMATS
from apps.registry.models import ArtifactFile, ModelVersion, Upload, VersionState
from apps.registry.readiness import DraftReport, manifest, report
from apps.registry.usage import bytes_kept
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet_verify import canonical

FILES = 200  # so many are listed
BY_HAND = "typed in or copied"  # from another version: which of them is not written down
TYPED, FOUND = f"{BY_HAND.capitalize()}, not read from the files", "Found in the files"
PARTS = {  # titles by the name of the part, which is its place on the page
    "files": "Files",
    "runtime": "Python and packages",
    "signature": "Signature",
    "metrics": "Metrics",
    "origin": "Data, code and parameters",
    "card": "Model card",
}
PLACES = {  # where on the page one mends what a pointer begins with
    "format": "runtime",
    "python_version": "runtime",
    "requirements": "runtime",
    "variables": "runtime",
    "signature": "signature",
    "example": "signature",
    "expected": "signature",
    "parameters": "origin",
    "lineage": "origin",
}


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A line of the checklist: a part of the page, and what it still needs."""

    part: str
    title: str
    state: str  # passed, failed: something is missing; '' where nothing is there yet, or need be
    says: Sequence[str]


@dataclass(frozen=True, slots=True)
class DraftPage:
    """Everything that the page of a draft shows."""

    version: ModelVersion
    actor: Actor
    files: list[ArtifactFile]
    uploads: list[Upload]
    report: DraftReport
    metrics: Mapping[str, Any]
    kept: int | None  # bytes of its project, where they are limited
    saved: str = ""  # the part that was just saved
    sent: TypedForm | None = None  # the form that is shown again as it was sent
    source: int | None = None  # the version that it can take its facts over from
    twin: int | None = None  # the newest finalised version with just these files

    @property
    def may_edit(self) -> bool:
        """Whether the reader may go on with it."""
        return self.actor.can("version.edit", scope_of(self.version))

    @property
    def discard_title(self) -> str:
        """What the dialog that discards it asks."""
        return f"Discard the draft {self.version}?"

    @property
    def beside(self) -> str:
        """What was reported of it and is on its way, which goes with it when it is discarded."""
        return held_beside(self.version, self.uploads)

    @property
    def shown_files(self) -> list[ArtifactFile]:
        """The files that are listed."""
        return self.files[:FILES]

    @property
    def hidden_files(self) -> int:
        """How many files more there are."""
        return len(self.files) - len(self.shown_files)

    @property
    def room(self) -> int:
        """How many bytes more fit, into the version and into what its project may keep."""
        taken = sum(file.size for file in self.files) + sum(row.size for row in self.uploads)
        room = config().max_artifact_bytes - taken
        if self.kept is not None:
            room = min(room, self.version.project.artifact_quota - self.kept)
        return max(room, 0)

    @property
    def limits(self) -> str:
        """What may be sent, said before it is."""
        most = f"at most {counted(MAX_FILES, 'file')} and {size(config().max_artifact_bytes)}"
        said = f"Limit per version: {most}"
        if self.kept is None:
            return f"{said}; {size(self.room)} left."
        quota = self.version.project.artifact_quota
        project = self.version.project.name
        return (
            f"{said}. {project} uses {size(self.kept)} of {size(quota)}; "
            f"{size(self.room)} left here."
        )

    @property
    def small(self) -> int:
        """How many bytes a form without a script may send."""
        return config().max_body_bytes

    @property
    def command(self) -> str:
        """The command that adds a file."""
        version = self.version
        reference = f"{version.project.slug}/{version.model.name}:{version.number}"
        return f"placet version upload {reference} FILE"

    @property
    def api(self) -> str:
        """Where files are announced."""
        version = self.version
        model = f"{version.project.slug}/models/{version.model.name}"
        return f"/api/v1/projects/{model}/versions/{version.number}/uploads"

    @property
    def url(self) -> str:
        """The page's own address."""
        version = self.version
        args = [version.project.slug, version.model.name, version.number]
        return reverse("version-draft", args=args)

    @property
    def format_title(self) -> str:
        """What the files were recognised as; '' where they were not."""
        return FORMATS[self.report.derived.format].title if self.report.derived else ""

    @property
    def python(self) -> str:
        """The Python that it would be built for, and who says so."""
        told = self.report.derived.python_version if self.report.derived else ""
        if self.version.python_version:
            return f"{self.version.python_version} ({BY_HAND})"
        return f"{told} (found in the files)" if told else "platform default"

    @property
    def requirements(self) -> list[str]:
        """The packages that it would be built with."""
        told = self.report.derived.requirements if self.report.derived else None
        return self.version.requirements or told or []

    @property
    def requirements_by(self) -> str:
        """Who says those packages."""
        return BY_HAND if self.version.requirements else FOUND.lower()

    @property
    def formats(self) -> list[tuple[str, str]]:
        """The formats that one may say it has."""
        return [(kind.name, kind.name) for kind in FORMATS.values()]

    @property
    def forms(self) -> list[tuple[str, TypedForm]]:
        """The form of each part, with the part's name."""
        version = self.version
        filled: dict[str, TypedForm] = {
            "runtime": RuntimeForm.of(version),
            "signature": SignatureForm.of(version, self.report.derived),
            "metrics": MetricsForm.of(self.metrics),
            "origin": OriginForm.of(version),
            "card": CardForm.of(version),
        }
        for part, form in filled.items():
            stored = self.metrics if part == "metrics" else stored_of(part, version)
            form.seen = digest_of(stored)
            if isinstance(self.sent, type(form)):
                self.sent.unsaved = self.sent.differs(form)
                filled[part] = self.sent
        return list(filled.items())

    @property
    def missing(self) -> int:
        """How many things keep it from being finalised."""
        return len(self.report.faults)

    @property
    def missing_words(self) -> str:
        """What keeps it from being finalised, counted."""
        return f"{counted(self.missing, 'item is', 'items are')} missing: see above."

    @property
    def steps(self) -> list[DraftStep]:
        """The checklist."""
        lacking: dict[str, list[str]] = {}
        for fault in self.report.faults:
            first, _, rest = fault.pointer.lstrip("/").partition("/")
            detail = f"{rest}: {fault.detail}" if first == "files" and rest else fault.detail
            lacking.setdefault(PLACES.get(first, "files"), []).append(detail)
        unsent = "" if self.files or self.uploads else "files"
        if unsent in lacking:  # nothing is wrong with what is not there yet
            lacking[unsent].insert(0, "Nothing uploaded yet")
        return [
            DraftStep(part, title, "" if part == unsent else "failed", lacking[part])
            if part in lacking
            else DraftStep(part, title, "passed" if self._is_there(part) else "", self._says(part))
            for part, title in PARTS.items()
        ]

    def _is_there(self, part: str) -> bool:
        """Tell whether something was given for a part, by the author or by the files."""
        version, derived = self.version, self.report.derived
        told = {
            "files": bool(self.files),
            "runtime": derived is not None,
            "signature": bool(version.signature or (derived and derived.signature)),
            "metrics": bool(self.metrics),
            "origin": bool(version.lineage or version.parameters),
            "card": bool(version.card),
        }
        return told[part]

    def _says(self, part: str) -> Sequence[str]:
        """What there is to say of a part that lacks nothing."""
        if part == "files":
            return [counted(len(self.files), "file")]
        if part == "runtime":
            return self._runtime_says()
        if part == "signature":
            return [self._signature_says()]
        if self._is_there(part):
            return []
        return ["Optional here; reviewers look for it, and a policy may ask for it"]

    def _runtime_says(self) -> list[str]:
        """Who says each thing of Python and packages: people, or the files."""
        version, derived = self.version, self.report.derived
        sides = {
            "Format": ("", derived.format if derived else ""),
            "Python": (version.python_version, derived.python_version if derived else ""),
            "Packages": (version.requirements, derived.requirements if derived else None),
            "Variables": (version.variables, derived.variables if derived else ()),
        }
        said = [
            f"{name}: {(TYPED if typed else FOUND).lower()}"
            for name, (typed, told) in sides.items()
            if typed or told
        ]
        return said if derived else ["Format: found in the files once they are there", *said]

    def _signature_says(self) -> str:
        """Who says its inputs and outputs, or has to."""
        derived = self.report.derived
        if self.version.signature:
            return TYPED
        if derived is None:
            return "Found in the files if their format tells it; if not, type it in"
        if derived.signature:
            return FOUND
        if FORMATS[derived.format].project:
            return "Optional: the files have APIs of their own"
        return "Type it in: the files do not say"


def draft_page(
    version: ModelVersion, actor: Actor, *, saved: str = "", sent: TypedForm | None = None
) -> DraftPage:
    """Return everything the page of a draft shows."""
    files = list(version.files.order_by("path"))
    uploads = list(version.uploads.order_by("path"))
    kept = bytes_kept(version.project_id) if version.project.artifact_quota else None
    return DraftPage(
        version=version,
        actor=actor,
        files=files,
        uploads=uploads,
        report=report(version, files, uploads),
        metrics=newest_metrics([version]).get(version.pk, {}),
        kept=kept,
        saved=saved if saved in PARTS else "",
        sent=sent,
        source=source_of(version),
        twin=twin_of(version, files) if files and not uploads else None,
    )


def source_of(version: ModelVersion) -> int | None:
    """Return the newest finalised version that an empty draft can take its facts over from."""
    if any(getattr(version, name) for name in COPIED):
        return None
    finalised = version.model.versions.filter(state=VersionState.FINALISED)
    return finalised.order_by("-number").values_list("number", flat=True).first()


def twin_of(version: ModelVersion, files: list[ArtifactFile]) -> int | None:
    """Return the newest finalised version of the same model with just the same files."""
    same = version.model.versions.filter(artifact_digest=canonical.digest(manifest(files)))
    return same.order_by("-number").values_list("number", flat=True).first()
