"""The page of the evidence that a release is bound to: what was pinned at its request, and nothing
else."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.text import capfirst

from apps.console.queries.card_changes import CardChanges, card_changes
from apps.console.queries.evidence_blocks import Allowance, Block
from apps.console.queries.evidence_bodies import RENDERERS, Beside, body
from apps.console.queries.evidence_words import evidence_tone, evidence_words
from apps.console.queries.page_parts import Sign, Tab, counted
from apps.console.queries.release_parts import live_column, own_column
from apps.console.queries.release_rows import with_requester
from apps.console.queries.release_words import with_words
from apps.console.queries.stops import stopped_at_the_decision
from apps.console.queries.verdicts import ICONS
from apps.console.queries.version_parts import signer_labels
from apps.console.templatetags.placet import words
from apps.discussions.queries import may_write
from apps.governance.discussed import RELEASE
from apps.governance.models import Release
from apps.governance.queries.compared import (
    ComparedRelease,
    approved_before,
    bound_evidence,
    compared_release,
)
from apps.governance.queries.facts import evidence_fact, pinned_evidence
from apps.identity.queries import people_names
from apps.registry.models import Evidence, EvidenceSource
from apps.registry.rules import card_data
from placet.kernel.actor import Actor, Scope

TABS = (
    ("Overview", "release"),
    ("Evidence", "release-evidence"),
    ("Behaviour", "release-behaviour"),
    ("Earlier attempts", "release-attempts"),
    ("Discussion", "release-discussion"),
)
ITEMS = 100  # pieces of evidence that are shown, if only in a line
CARD = "model_card"
KIND_TERMS = {  # the words of the glossary that explain kinds
    "acceleration": "acceleration",
    "data_quality": "data-quality",
    "explainability": "explainability",
    "fairness": "fairness",
    "load_test": "load-test",
    "model_signature": "signature",
    "sbom": "sbom",
    "scan": "scan",
    "smoke_test": "smoke-test",
}


@dataclass(frozen=True, slots=True)
class PinnedItem:
    """One piece of evidence that the release pinned."""

    evidence: Evidence
    said: str
    by: str  # the name of who reported it
    blocks: Sequence[Block]
    url: str  # where the whole of it is read

    @property
    def tone(self) -> str:
        """How good it is, where it says so."""
        return evidence_tone(self.evidence)

    @property
    def icon(self) -> str:
        """The sign beside it, so that no state is a colour alone."""
        return ICONS[evidence_tone(self.evidence)]

    @property
    def is_measured(self) -> bool:
        """Whether Placet found it out itself."""
        return self.evidence.source == EvidenceSource.MEASURED

    @property
    def sbom(self) -> str:
        """The Bento whose list of components can be taken away."""
        return self.evidence.bento_digest if self.evidence.kind == "sbom" else ""

    @property
    def more(self) -> int:
        """How many rows of it are not shown."""
        return sum(block.more for block in self.blocks)


@dataclass(frozen=True, slots=True)
class KindSection:
    """What the release pinned of one kind."""

    kind: str
    items: Sequence[PinnedItem]

    @property
    def title(self) -> str:
        """What the kind is called."""
        return words(self.kind)

    @property
    def term(self) -> str:
        """The word of the glossary that explains it; '' for none."""
        return KIND_TERMS.get(self.kind, "")

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return f"kind-{self.kind}"


@dataclass(frozen=True, slots=True)
class ReleaseEvidencePage:
    """Everything the page of a release's evidence shows."""

    compared: ComparedRelease
    sections: Sequence[KindSection]
    lost: Sequence[Mapping[str, str]]  # what was pinned and is no longer as it was
    card: CardChanges
    names: Mapping[str, str]

    @property
    def release(self) -> Any:
        """The release itself, as :func:`with_added` reads it."""
        return self.compared.release

    @property
    def shown(self) -> list[KindSection]:
        """The kinds that stand by themselves: the card's digest stands beside its text."""
        return [section for section in self.sections if section.kind != CARD]

    @property
    def card_items(self) -> Sequence[PinnedItem]:
        """What was pinned of the card."""
        return next((s.items for s in self.sections if s.kind == CARD), ())

    @property
    def is_card_pinned(self) -> bool:
        """Whether the card that is shown is one that was pinned."""
        now = card_data(self.release.version.card)
        return any(
            evidence_fact(item.evidence).data.get("sha256") == now["sha256"]
            for item in self.card_items
        )

    @property
    def card_sign(self) -> Sign:
        """Whether decisions are bound to the card that is shown."""
        if self.is_card_pinned:
            return Sign("pass", ICONS["pass"], "This is the card that the request pinned.")
        if self.card_items:
            text = "Edited since the request: this is the card as it stands now, and of the pinned "
            return Sign("wait", ICONS["wait"], f"{text}one Placet shows the digest.", wrap=True)
        if not self.card.card:
            return Sign("plain", ICONS["plain"], f"{self.release.version} has no model card.")
        text = "Not pinned: no decision is bound to the text of this card, which can be edited."
        return Sign("wait", ICONS["wait"], text, wrap=True)

    @property
    def pinned(self) -> str:
        """How many pieces the request pinned."""
        return counted(len(self.release.evidence), "item")

    @property
    def unshown(self) -> int:
        """How many of them are in no section."""
        shown = sum(len(section.items) for section in self.sections)
        return len(self.release.evidence) - shown - len(self.lost)

    @property
    def digest(self) -> str:
        """The digest of all of it, as decisions name it."""
        return bound_evidence(self.release)

    @property
    def these(self) -> str:
        """What decisions are bound to, as a sentence goes on."""
        return "this one" if len(self.release.evidence) == 1 else "these"

    @property
    def added(self) -> str:
        """How much was added to the version since."""
        many, version = self.release.added_since, self.release.version
        if not many:
            return f"Nothing was added to {version} since."
        were = "was" if many == 1 else "were"
        return f"{counted(many, 'item')} {were} added to {version} since"

    @property
    def version_url(self) -> str:
        """Where its version is read, with all evidence of it."""
        version = self.release.version
        args = [self.release.project.slug, version.model.name, version.number]
        return reverse("version", args=args)


def release_tabs(release: Release, shown: str) -> list[Tab]:
    """Return the pages of a release, of which one is ``shown``."""
    counts = {"release-discussion": getattr(release, "open_threads", 0)}
    return [
        Tab(text, reverse(name, args=[release.pk]), name == shown, counts.get(name, 0))
        for text, name in TABS
    ]


def with_added(releases: Any) -> Any:
    """Have a release bring how much evidence its version got since (``added_since``), and what its
    heading tells."""
    newer = Evidence.objects.filter(
        version=OuterRef("version"), created_at__gt=OuterRef("created_at")
    )
    many = newer.order_by().values("version").annotate(many=Count("pk")).values("many")
    return with_requester(with_words(releases)).annotate(
        added_since=Coalesce(Subquery(many), Value(0)), stopped_then=stopped_at_the_decision()
    )


def release_evidence_page(release_id: str, actor: Actor) -> ReleaseEvidencePage:
    """Return everything the page of a release's evidence shows, or raise ``NotFound``.

    At most seven queries: release, what is live, evidence, what was approved before, names, keys.
    """
    compared, _ = compared_release(release_id, actor, with_added)
    row, live = compared.release, compared.live
    known = pinned_evidence([row, live] if live else [row])
    rows = [known[pin["id"]] for pin in row.evidence if pin["id"] in known]
    names = people_names(e.created_by for e in rows)
    has_keys = any(e.kind == "model_signature" for e in rows)
    beside = Beside(
        version=row.version,
        live=[evidence_fact(known[p["id"]]) for p in live.evidence if p["id"] in known]
        if live
        else None,
        live_column=live_column(compared),
        own_column=own_column(row),
        discussion=_discussion(row, actor),
    )
    signers = signer_labels(row.project_id) if has_keys else {}
    return ReleaseEvidencePage(
        compared=compared,
        sections=_sections(row, rows, beside=beside, names=names, signers=signers),
        lost=[pin for pin in row.evidence if pin["id"] not in known],
        card=card_changes(row, approved_before(row)),
        names=names,
    )


def _discussion(row: Release, actor: Actor) -> str:
    """Return where the release is discussed, '' for who may not write there."""
    scope = Scope(row.project_scope(), row.environment_scope())
    return reverse("release-discussion", args=[row.pk]) if may_write(RELEASE, scope, actor) else ""


def _sections(
    release: Release,
    rows: Sequence[Evidence],
    *,
    beside: Beside,
    names: Mapping[str, str],
    signers: Mapping[str, str],
) -> list[KindSection]:
    order = {kind: at for at, kind in enumerate(RENDERERS)}
    version = release.version
    place = (release.project.slug, version.model.name, version.number)
    in_order = sorted(rows, key=lambda row: (order.get(row.kind, len(order)), row.kind))
    room, found = Allowance(), defaultdict[str, list[PinnedItem]](list)
    for row in in_order[:ITEMS]:
        item = PinnedItem(
            evidence=row,
            said=capfirst(evidence_words(row, signers)),
            by=names.get(row.created_by, ""),
            blocks=room.fit(body(evidence_fact(row), beside)),
            url=reverse("api-evidence-detail", args=[*place, row.pk]),
        )
        found[row.kind].append(item)
    return [KindSection(kind, items) for kind, items in found.items()]
