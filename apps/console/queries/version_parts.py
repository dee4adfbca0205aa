"""What the page of a version is made of: its columns, its evidence in words, its steps."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Subquery
from django.utils.text import Truncator

from apps.builds.models import Bento
from apps.console.queries.evidence_blocks import Allowance, Block
from apps.console.queries.evidence_bodies import Beside, body
from apps.console.queries.evidence_words import evidence_words
from apps.console.queries.page_parts import counted
from apps.console.queries.verdicts import build_sign, with_smoke
from apps.governance.models import Release
from apps.governance.queries.facts import evidence_fact
from apps.governance.queries.shown_states import shown_as
from apps.governance.rules import ReleaseState
from apps.registry.formats import FORMATS
from apps.registry.models import Evidence, EvidenceSource, ModelVersion, SigningKey
from apps.registry.rules import answer_form
from apps.serving.hooks import keeper

ANSWERS = {True: "yes", False: "no"}
MOST_ANSWER = 500  # letters of an expected output that are shown
REPORTED = EvidenceSource.REPORTED
TWINS = 3  # versions with the same files that are named


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """One input or output, with what the first example row holds there."""

    name: str
    type: str
    required: str  # yes, no; '' for an output
    example: Any


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One piece of evidence: what it says in a line, and who said so."""

    evidence: Evidence
    said: str
    by: str  # continues the sentence that says whence it is
    standing: str  # whether it counts, where there is more of its kind
    blocks: Sequence[Block]

    @property
    def sbom(self) -> str:
        """The Bento whose list of components can be taken away."""
        return self.evidence.bento_digest if self.evidence.kind == "sbom" else ""


def pair(key: str, value: str) -> str:
    """Return a tag as people write it: a name, or a name and its value."""
    return f"{key}: {value}" if value else key


def alias_words(names: Iterable[str], releases: Iterable[Release]) -> list[str]:
    """Return aliases as pages show them: ``live-production`` stays where its endpoint is stopped,
    which is then said. ``releases`` are those of the version."""
    live = [row for row in releases if row.state == ReleaseState.LIVE]
    serving = {row.environment.name for row in live if not row.is_stopped}
    stopped = {f"live-{row.environment.name}" for row in live} - {f"live-{e}" for e in serving}
    return [f"{name}, stopped" if name in stopped else name for name in names]


def columns(version: ModelVersion) -> tuple[list[ModelColumn], list[ModelColumn]]:
    """Return the inputs and the outputs that the signature names."""
    signature = version.signature or {}
    row = version.example[0] if version.example else {}
    answer = version.expected[0] if version.expected else ""
    inputs = [
        ModelColumn(c["name"], c["type"], ANSWERS[c.get("required", True)], row.get(c["name"], ""))
        for c in signature.get("inputs", ())
    ]
    named = signature.get("outputs", ())
    outputs = [
        ModelColumn(c["name"], c["type"], "", _part(answer, c["name"], len(named))) for c in named
    ]
    return inputs, outputs


def _part(answer: Any, name: str, outputs: int) -> Any:
    """Return what an answer holds of an output: the only one may stand there alone."""
    if isinstance(answer, dict) and name in answer:
        return answer[name]
    return answer if outputs == 1 else ""


def response(version: ModelVersion) -> str:
    """Return what the service answers to the example row, where that is known, and else how, in
    sample values; '' for one from a folder, which has a form of its own, and without a
    signature."""
    outputs = (version.signature or {}).get("outputs")
    kind = FORMATS.get(version.format)
    if not outputs or kind is None or kind.root:
        return ""
    if not version.expected:
        return f'{{"prediction": {answer_form(outputs)}}}'
    first = version.expected[0]
    answer = _part(first, outputs[0]["name"], 1) if len(outputs) == 1 else first
    text = f'{{"prediction": {json.dumps(answer, ensure_ascii=False)}}}'
    return Truncator(text).chars(MOST_ANSWER)


def signature_note(version: ModelVersion) -> str:
    """Return how many columns and example rows there are."""
    signature = version.signature or {}
    inputs = counted(len(signature.get("inputs", ())), "input")
    outputs = counted(len(signature.get("outputs", ())), "output")
    rows = len(version.example or ())
    return f"{inputs}, {outputs}" + (f" · {counted(rows, 'example row')}" if rows else "")


def evidence_lines(
    facts: Sequence[Evidence], newest_bento: str, signers: Mapping[str, str], names: dict[str, str]
) -> list[EvidenceLine]:
    """Return ``facts``, the newest first, as the page of a version says and shows them."""
    room, beside = Allowance(), Beside()
    said = zip(facts, standings(facts, newest_bento), strict=True)
    return [
        EvidenceLine(
            evidence=row,
            said=evidence_words(row, signers),
            by=f" by {names.get(row.created_by, '')}" if row.source == REPORTED else "",
            standing=standing,
            blocks=room.fit(body(evidence_fact(row), beside)),
        )
        for row, standing in said
    ]


def standings(facts: Sequence[Evidence], newest_bento: str) -> list[str]:
    """Return for each of ``facts``, the newest first, whether a release goes by it; '' where it is
    the only one of its kind. Of a kind the newest counts, of what a build measured the newest of
    its Bento, or of the files by themselves."""
    many = Counter(e.kind for e in facts)
    seen: set[tuple[str, str]] = set()
    found = []
    for e in facts:
        replaced = not seen.isdisjoint({(e.kind, e.bento_digest or newest_bento), (e.kind, "")})
        seen.add((e.kind, e.bento_digest))
        if many[e.kind] == 1:
            found.append("")
        elif replaced:
            found.append("replaced by newer")
        elif e.bento_digest and e.bento_digest != newest_bento:
            found.append("counts for an earlier build")
        else:
            found.append("counts for the newest build" if e.bento_digest else "counts")
    return found


def builds_of(version: ModelVersion, most: int) -> list[Any]:
    """Return the newest builds, each with the recalls of its Bento, whether Placet signed the
    version's files with it, and how it stands."""
    signed = Bento.objects.filter(pk=OuterRef("bento_digest")).exclude(model_signature="")
    rows_of = version.builds.annotate(recalls=keeper().listed("bento_digest"))
    built = with_smoke(rows_of.annotate(is_signed=Exists(signed)))
    rows: list[Any] = list(built.order_by("-created_at")[:most])
    for row in rows:
        row.sign = build_sign(row.state, row.smoke)
    return rows


def measured_signature(evidence: Sequence[Evidence]) -> Evidence | None:
    """Return the newest finding about a model's own signature."""
    measured = (
        e for e in evidence if e.kind == "model_signature" and e.source == EvidenceSource.MEASURED
    )
    return next(measured, None)


def signer_labels(project_id: str) -> dict[str, str]:
    """Return the project's model signing keys: their labels, and which of them were revoked."""
    rows = SigningKey.objects.filter(project=project_id)
    return {
        row.fingerprint: f"{row.label}, since revoked" if row.revoked_at else row.label
        for row in rows
    }


def others() -> dict[str, Subquery]:
    """The numbers of other versions of the model, as columns of a query for versions: the one that
    is live in the last environment, the newest, and the newest few with just the same files."""
    of_model = Release.objects.filter(version__model=OuterRef("model"))
    live = shown_as(of_model, ReleaseState.LIVE).exclude(version=OuterRef("pk"))
    rows = ModelVersion.objects.filter(model=OuterRef("model")).exclude(pk=OuterRef("pk"))
    live = live.order_by("-environment__position", "-version__number")
    same = rows.filter(artifact_digest=OuterRef("artifact_digest")).exclude(artifact_digest="")
    return {
        "other_live": Subquery(live.values("version__number")[:1]),
        "other_newest": Subquery(rows.order_by("-number").values("number")[:1]),
        "twins": ArraySubquery(same.order_by("-number").values("number")[:TWINS]),
    }
