"""Keeps the recalls for the apps below: see ``apps.serving.hooks``."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Func, JSONField, OuterRef, Q, Subquery
from django.db.models.functions import JSONObject

from apps.assurance.actions.receipts import take_in
from apps.assurance.models import Recall, RecallKind, RecallState
from apps.assurance.queries.events_of_recalls import of_release
from apps.assurance.queries.recalls_beside import (
    recall_that_ended,
    recall_that_revoked,
    recalls_told,
)
from apps.assurance.queries.visible_recalls import recalls_of_version, standing_recalls
from apps.assurance.queries.voided import first_recall
from apps.assurance.rules import SIGNERS
from apps.audit.actions import Recorder
from apps.builds.models import Bento
from apps.serving.models import Endpoint, Node, Target
from placet.kernel.actor import Actor
from placet_protocol.report import Report
from placet_verify import canonical
from placet_verify.recalls import NONE, Uncounted
from placet_verify.statements import RecalledNames

WORDS: dict[str, str] = {
    RecallKind.BENTO: "Bento",
    RecallKind.DATASET: "training data",
    RecallKind.WHEEL: "wheel",
    RecallKind.KEY: "build key",
}


class RecallKeeper:
    """Answers from the rows."""

    def refusal(self, bento: Bento) -> str:
        """Return why a Bento must not run, also one that was built after the recall."""
        rows = standing_recalls().exclude(kind__in=SIGNERS).order_by("pk")
        recall = next((row for row in rows if _is_of(bento, row)), None)
        if recall is None:
            return ""
        said = _sentence(recall.kind, recall.what, recall.created_at)
        return f"{said}: recall {recall.pk} says by whom and why"

    def listed(self, bento: str) -> ArraySubquery:
        """Return the standing recalls that name a Bento. What was built later is not named, but
        nobody could ask for a release of it."""
        named = Func(OuterRef(bento), function="jsonb_build_array", output_field=JSONField())
        rows = standing_recalls().filter(names__bentos__contains=named).order_by("pk")
        return ArraySubquery(
            rows.values(json=JSONObject(kind="kind", what="what", at="created_at"))
        )

    def sentence(self, found: Sequence[Mapping[str, str]]) -> str:
        """Return why what was found must not run."""
        if not found:
            return ""
        first = found[0]
        return _sentence(first["kind"], first["what"], datetime.fromisoformat(first["at"]))

    def recalls(self) -> ArraySubquery:
        """Return the standing recalls of a version, or of data that it was trained on."""
        return recalls_of_version()

    def uncounted(self) -> Uncounted:
        """Return whose signatures do not count (one query)."""
        uncounted = NONE
        for names in standing_recalls().values_list("names", flat=True):
            uncounted |= Uncounted(
                frozenset(names["keys"]), frozenset(names["passkeys"]), frozenset(names["people"])
            )
        return uncounted

    def uncounts(self, person: Any) -> Exists:
        """Return the condition that somebody's decisions were recalled."""
        return Exists(standing_recalls().filter(kind=RecallKind.PERSON, what=person))

    def took_back(self, *, standing: bool = False) -> Subquery:
        """Return the first recall that took back what somebody had signed before."""
        told = JSONObject(id="pk", project="project", at="created_at")
        return first_recall(told, standing=standing)

    def told(self, target: Target) -> dict[str, list[Any]]:
        """Return the Bentos that must not run on a target, and the signed recalls and lifts of the
        projects that have an endpoint there, and of the instance. One that names nothing asks
        nothing of a node: what it is about and comes later, no release can be asked for."""
        projects = Endpoint.objects.filter(target=target).values("project")
        rows = Recall.objects.filter(Q(project=None) | Q(project__in=projects)).order_by("pk")
        rows = rows.exclude(names=RecalledNames().to_dict())
        recalled, signed = set[str](), []
        for row in rows:
            signed += [canonical.loads(text) for text in (row.envelope, row.lift_envelope) if text]
            recalled |= set(row.names["bentos"]) if row.state == RecallState.STANDING else set()
        return {"recalled": sorted(recalled), "recalls": signed}

    def heard(self, node: Node, report: Report, log: Recorder) -> None:
        """Take in receipts, and compare what a node says with what it signed."""
        take_in(node, report, log)

    def that_ended(self) -> Subquery:
        """Return the recall that ended a revision."""
        return recall_that_ended()

    def that_revoked(self) -> Subquery:
        """Return the recall that revoked a release."""
        return recall_that_revoked()

    def told_to(
        self, found: Iterable[Mapping[str, Any]], actor: Actor
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return who made which of these recalls, when and why, as far as ``actor`` may see."""
        return recalls_told(found, actor)

    def events(self, release: str, bento: str, endpoint: Endpoint) -> dict[int, str]:
        """Return the events of receipts and recalls that are about a release."""
        return of_release(release, bento, endpoint)


def _is_of(bento: Bento, recall: Recall) -> bool:
    if bento.pk in recall.names["bentos"]:
        return True
    if recall.project_id not in (None, bento.project_id):
        return False
    match recall.kind:
        case RecallKind.VERSION:
            return bool(bento.version_id == recall.what)
        case RecallKind.DATASET:
            datasets = bento.version.lineage.get("datasets", [])
            return any(one["digest"] == recall.what for one in datasets)
        case RecallKind.WHEEL:
            sha256 = recall.what.removeprefix("sha256:")
            return any(wheel["sha256"] == sha256 for wheel in bento.runtime.wheels)
        case RecallKind.KEY:  # a build that was under way signs with it to its end
            return f'"keyid":"{recall.what}"' in bento.provenance
    return False


def _sentence(kind: str, what: str, at: datetime) -> str:
    short = what.removeprefix("sha256:")[:16]
    own = "It" if kind == RecallKind.VERSION else f"Its {WORDS[kind]} {short}…"
    return f"{own} was recalled on {at:%Y-%m-%d} and the recall was not withdrawn"
