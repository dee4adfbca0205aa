"""Where people stand towards a release: what rules about independence are asked of."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce

from apps.governance.approvals import Decider
from apps.governance.gates.facts import DecisionFact
from apps.governance.independence import PEOPLE
from apps.governance.models import Release
from apps.identity.trust.positions import PersonPosition, Positions, positions, rows_above
from apps.registry.provenance import (
    Declared,
    by_version,
    declared_about,
    touched_by,
    touches,
    vouched_declared,
)
from placet_verify.permit.standing import (
    NOT_CODE_AUTHOR,
    NOT_DATA_OWNER,
    NOT_LAST_TOUCHED,
    OTHER_REPORTING_LINE,
    SECOND_LINE,
    Standing,
)
from placet_verify.statements import APPROVE

DECLARED = frozenset({NOT_DATA_OWNER, NOT_CODE_AUTHOR})
_COLUMNS = ("c0", "c1", "c2", "c3", "c4", "c5")


@dataclass(slots=True)
class Standings:
    """What is known of people and versions. Only what the policy of a release asks for is told."""

    positions: Positions = field(default_factory=lambda: Positions({}))
    touched: dict[str, frozenset[str]] = field(default_factory=dict)
    declared: Declared = field(default_factory=Declared)
    recalled: frozenset[str] = frozenset()  # of whom no decision counts, as whoever asks read it

    def decider(self, release: Release, person: str) -> Decider:
        """Return ``person`` before ``release``, where they stand as far as that is known."""
        stands, recalled = self.of(release, person), person in self.recalled
        return release.decider(person, stands, recalled=recalled)

    def approval(self, release: Release, person: str, role: str) -> DecisionFact:
        """Return what an approval of ``person`` as ``role`` would be, signed as the policy asks."""
        stands, passkey = self.of(release, person), release.policy.approvals.passkey(role)
        standing = None if stands is None else stands.to_dict()
        return DecisionFact(person, role, APPROVE, passkey, standing)

    def of(self, release: Release, person: str) -> Standing | None:
        """Return where ``person`` stands towards ``release``; ``None`` where nobody asks."""
        demands = release.policy.approvals.demands
        if not demands:
            return None
        facts: dict[str, Any] = {}
        version = release.version
        if SECOND_LINE in demands:
            facts["line"] = self.positions.line(person, for_=person)
        if OTHER_REPORTING_LINE in demands:
            for name, who in (
                ("reports_to", person),
                ("requester_reports_to", release.requester),
                ("author_reports_to", version.author),
            ):
                facts[name] = self.positions.managers(who, for_=person)
        if NOT_LAST_TOUCHED in demands:
            facts["touched"] = _sorted(self.touched.get(version.pk))
        if NOT_DATA_OWNER in demands:
            facts["data_owners"] = _sorted(self.declared.data_owners(version, for_=person))
        if NOT_CODE_AUTHOR in demands:
            facts["code_authors"] = _sorted(self.declared.code_authors(version, for_=person))
        return Standing(**facts)


def standings(
    releases: Sequence[Release], people: Iterable[str], recalled: Iterable[str] = ()
) -> Standings:
    """Return how ``people`` stand towards ``releases``, as the tables have it (at most one query);
    the decisions of those who are ``recalled`` do not count.

    For pages. Each release comes with its policy, and its version with the lineage.
    """
    known = Standings(recalled=frozenset(recalled))
    branches = _branches(releases, people)
    if not branches:
        return known
    placed: dict[str, PersonPosition] = {}
    touched: list[tuple[str, str]] = []
    for what, *columns in branches[0].union(*branches[1:]):
        if what == "position":
            person, line, manager, top, set_by = columns
            placed[person] = PersonPosition(line, manager, top == "true", set_by)
        elif what == "touched":
            touched.append((columns[0], columns[1]))
        else:
            known.declared.add(*columns)
    known.positions, known.touched = Positions(placed), by_version(touched)
    return known


def standing_now(release: Release, person: str) -> Standing | None:
    """Return where ``person`` stands, as the sealed log vouches for it, held until the transaction
    ends; ``None`` where the policy does not ask."""
    demands = release.policy.approvals.demands
    known = Standings()
    if demands & PEOPLE:
        around = (person, release.requester, release.version.author)
        known.positions = positions(around, vouched=True, lock=True)
    if NOT_LAST_TOUCHED in demands:
        known.touched = touched_by([release.version_id])
    if demands & DECLARED:
        known.declared = vouched_declared([release.version])
    return known.of(release, person)


def _branches(releases: Sequence[Release], people: Iterable[str]) -> list[QuerySet[Any]]:
    """Return a query for each kind of thing that some policy asks for, all of one shape."""
    asking: dict[str, list[Release]] = {}
    for release in releases:
        for demand in release.policy.approvals.demands:
            asking.setdefault(demand, []).append(release)
    branches: list[QuerySet[Any]] = []
    if placed := _of(asking, PEOPLE):
        around = {*people, *(r.requester for r in placed), *(r.version.author for r in placed)}
        branches.append(
            _shaped(
                rows_above(around),
                "position",
                F("person_id"),
                F("line"),
                Coalesce("manager_id", Value("")),
                F("top"),
                F("set_by"),
            )
        )
    if touched := _of(asking, {NOT_LAST_TOUCHED}):
        events = touches(r.version_id for r in touched)
        branches.append(_shaped(events, "touched", F("subject"), F("who")))
    if declared := _of(asking, DECLARED):
        rows = declared_about([r.version for r in declared])
        columns = (F("project_id"), F("fact"), F("about"), F("person"), F("declared_by"))
        branches.append(_shaped(rows, "declared", *columns))
    return branches


def _of(asking: dict[str, list[Release]], demands: Collection[str]) -> list[Release]:
    return [release for demand in demands for release in asking.get(demand, [])]


def _shaped(rows: QuerySet[Any], what: str, *columns: Any) -> QuerySet[Any]:
    """Return ``rows`` as six columns of text, the first of which says what they are."""
    text = TextField()
    filled = [Value(what), *columns, *[Value("")] * (len(_COLUMNS) - 1 - len(columns))]
    named = {name: Cast(value, text) for name, value in zip(_COLUMNS, filled, strict=True)}
    shaped: QuerySet[Any] = rows.order_by().annotate(**named).values_list(*_COLUMNS)
    return shaped


def _sorted(people: Collection[str] | None) -> tuple[str, ...] | None:
    return None if people is None else tuple(sorted(people))
