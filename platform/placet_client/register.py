"""Registers a folder as a version: facts, files, metrics, and the end of its being a draft.

```
look for a version of ours with this content ──► finalised ──► there it is
        │                                    └─► draft ──┐
        └─► none: make a draft under a key ◄─────────────┤
            that is made of the content                  ▼
                                 send the files that it lacks ──► metrics ──► finalise
```

Whatever happens in between, the same folder leads to the same version: killed and run again, run
twice at once, or sent again because an answer was lost.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from placet_client.client import Client
from placet_client.errors import Conflict, NotFound, PlacetError
from placet_client.nouns.uploads import digest
from placet_client.records import Version, VersionSummary
from placet_client.transport import IN_PROGRESS
from placet_verify import canonical

FACTS = (
    "format",
    "python_version",
    "requirements",
    "variables",
    "parameters",
    "lineage",
    "signature",
    "example",
    "expected",
    "tags",
    "card",
)
EDITABLE = ("tags", "card")  # somebody may have changed them since
DESCRIPTION = "version.json"
LEFT_BEHIND = frozenset({".git", ".DS_Store", ".ipynb_checkpoints", "__pycache__"})
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Registered:
    """A finalised version; ``new`` unless it was there before, whole; its newest metrics; what was
    not sent; and what the folder says otherwise than the server holds, which was not stored."""

    version: Version
    new: bool
    metrics: dict[str, Any]
    left_out: list[str]
    differing: Mapping[str, Any]  # what the folder says, by the name of the fact


@dataclass(frozen=True, slots=True)
class Content:
    """What a folder holds: facts, metrics, and the digest of every file by its path."""

    folder: Path
    facts: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[str, str]
    left_out: list[str]  # what programs leave behind in folders, and no model needs

    @classmethod
    def of(cls, folder: Path) -> "Content":
        """Read a folder. Raises :class:`PlacetError` when it says too little."""
        if not folder.is_dir():
            raise PlacetError(0, "no_folder", f"{folder} is not a folder")
        facts = read_facts(folder)
        metrics = facts.pop("metrics", None) or {}
        by_path = {
            file.relative_to(folder): file
            for file in sorted(folder.rglob("*"))
            if file.is_file() and file != folder / DESCRIPTION
        }
        left_out = [path.as_posix() for path in by_path if is_left_behind(path)]
        files = {
            path.as_posix(): digest(file)
            for path, file in by_path.items()
            if not is_left_behind(path)
        }
        if not files:
            raise PlacetError(0, "no_files", f"{folder} holds no model files")
        return cls(folder, facts, metrics, files, left_out)

    @property
    def artifact_digest(self) -> str:
        """The digest that a finalised version with these files has."""
        sizes = {path: (self.folder / path).stat().st_size for path in self.files}
        lines = [
            {"path": path, "size": sizes[path], "sha256": self.files[path]}
            for path in sorted(self.files)
        ]
        return canonical.digest(lines)

    def registered(self, client: Client, version: Version, *, new: bool) -> Registered:
        """Return what became of this."""
        version_ref = (version.project, version.model, version.number)
        fact = client.evidence.list(*version_ref, kind="metrics").first()
        metrics = fact.data if fact else {}
        differing = {
            name: self.facts[name]
            for name in EDITABLE
            if name in self.facts and self.facts[name] != version.raw.get(name)
        }
        if self.metrics and self.metrics != metrics:
            differing["metrics"] = self.metrics
        return Registered(version, new, metrics, self.left_out, differing)

    def key(self, *purpose: object) -> str:
        """Return an Idempotency-Key that only this content has, for one purpose."""
        text = json.dumps([purpose, self.facts, self.metrics, self.files], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def is_in(self, version: Version) -> bool:
        """Tell whether ``version`` holds this, or is a draft on the way to it."""
        frozen = {name: v for name, v in self.facts.items() if name not in EDITABLE}
        there = {file.path: file.sha256 for file in version.files}
        whole = there == self.files or version.state == "draft"
        return (
            whole
            and there.items() <= self.files.items()
            and all(version.raw.get(name) == value for name, value in frozen.items())
        )


def register(
    client: Client,
    project: str,
    name: str,
    folder: Path,
    *,
    again: bool = False,
    progress: Progress | None = None,
) -> Registered:
    """Make a finalised version of model ``name`` from ``folder``, or find the one that is there.

    ``version.json`` at the top of the folder holds the facts and ``metrics``; an MLflow folder
    needs none. The model is made when it is missing. ``again`` makes a new version in any case.
    """
    content = Content.of(folder)
    ensure_model(client, project, name)
    version = None if again else _find(client, project, name, content)
    if version is not None and version.state != "draft":
        return content.registered(client, version, new=False)
    if version is None:
        version = _draft(client, project, name, content, again=again)
    version_ref = (project, name, version.number)
    try:
        for path, sha256 in content.files.items():
            client.uploads.send(
                *version_ref, folder / path, path, sha256=sha256, progress=_of(progress, path)
            )
        _report(client, version_ref, content)
        return content.registered(client, _finalise(client, version_ref), new=True)
    except Conflict:  # if somebody else finalised just this meanwhile, it is done
        now = client.versions.get(*version_ref)
        if now.state == "draft" or not content.is_in(now):
            raise
        return content.registered(client, now, new=True)


def is_left_behind(path: PurePath) -> bool:
    """Tell whether git, Python, a notebook or a Mac left this in a folder."""
    return any(part in LEFT_BEHIND or part.startswith("._") for part in path.parts)


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what ``version.json`` says; an MLflow folder may be without one."""
    path = folder / DESCRIPTION
    if not path.exists():
        if (folder / "MLmodel").exists():
            return {"format": "mlflow"}
        raise PlacetError(0, "no_facts", f"{folder} has neither version.json nor MLmodel")
    try:
        facts: Any = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PlacetError(0, "bad_facts", f"{path}: {error}") from None
    if not isinstance(facts, dict):
        raise PlacetError(0, "bad_facts", f"{path}: an object is expected, with the facts by name")
    if unknown := sorted(set(facts) - {*FACTS, "metrics"}):
        raise PlacetError(0, "bad_facts", f"{path}: unknown entries: {', '.join(unknown)}")
    return facts


def ensure_model(client: Client, project: str, name: str) -> None:
    """Make the model when it is missing."""
    try:
        client.models.get(project, name)
    except NotFound:
        try:
            client.models.create(project, name)
        except Conflict:  # somebody was faster
            client.models.get(project, name)


def _find(client: Client, project: str, name: str, content: Content) -> Version | None:
    """Return the version of ours that holds this content, or is on the way to it."""
    for summary in _candidates(client, project, name, content):
        version = client.versions.get(project, name, summary.number)
        if content.is_in(version):
            return version
    return None


def _candidates(
    client: Client, project: str, name: str, content: Content
) -> Iterator[VersionSummary]:
    """Yield the versions that are worth a look, whole ones first."""
    known = list(client.versions.list(project, name))
    yield from (v for v in known if v.artifact_digest == content.artifact_digest)
    me = client.whoami().id
    yield from (v for v in known if v.state == "draft" and v.created_by == me)


def _draft(client: Client, project: str, name: str, content: Content, *, again: bool) -> Version:
    """Make a draft. Its key is made of the content: whoever does it twice at once gets one.

    An answer on record may be out of date (a refusal that would be none now, a draft that was
    changed since) or never come (its process was killed): then a key of its own is right.
    """
    if not again:
        try:
            new_version = client.versions.create(
                project, name, idempotency_key=content.key(project, name), **content.facts
            )
            now = client.versions.get(project, name, new_version.number)
            if now.state == "draft" and content.is_in(now):
                return now
        except Conflict as error:
            if error.code != IN_PROGRESS:
                raise
            if existing := _find(client, project, name, content):
                return existing
        except PlacetError as error:
            if error.status not in (403, 404, 422):
                raise
    return client.versions.create(project, name, **content.facts)


def _report(client: Client, version_ref: tuple[str, str, int], content: Content) -> None:
    """Add the metrics, unless an earlier run got as far as that."""
    if content.metrics and not any(
        fact.data == content.metrics for fact in client.evidence.list(*version_ref, kind="metrics")
    ):
        key = content.key("metrics", *version_ref)
        client.evidence.add(*version_ref, "metrics", content.metrics, idempotency_key=key)


def _finalise(client: Client, version_ref: tuple[str, str, int]) -> Version:
    """Freeze the draft; another run of the same may touch it at that very moment."""
    for _ in range(3):
        try:
            return client.versions.finalise(*version_ref)
        except Conflict as error:
            if error.code != "changed":
                raise
    return client.versions.finalise(*version_ref)


def _of(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda sent, size: progress(name, sent, size)
