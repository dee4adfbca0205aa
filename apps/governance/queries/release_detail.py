"""Everything one release page answers, in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.audit.models import Event
from apps.audit.queries import unseal_many
from apps.audit.queries.bodies import body_of, states_of
from apps.audit.queries.events import line_of
from apps.discussions.events import TALK
from apps.governance import gates
from apps.governance.events import (
    RELEASE_ABORTED,
    RELEASE_FAILED,
    RELEASE_ROLLED_BACK,
)
from apps.governance.gates.facts import EvidenceFact, GateResult
from apps.governance.models import UNFINISHED_STATES, Decision, Release
from apps.governance.queries.bound_digests import BoundDigests, bound_digests
from apps.governance.queries.changes import Changes
from apps.governance.queries.compared import ComparedRelease, compared_release
from apps.governance.queries.facts import answers, gather
from apps.governance.queries.lifting import Lifting, with_lifting
from apps.governance.queries.people import Barred, NamedPerson, ReleasePeople, people_around
from apps.governance.queries.records import ReleaseRecord, record_of
from apps.governance.queries.release_deciders import around_decision
from apps.governance.queries.requested_changes import Answer, Answered, with_answers
from apps.governance.queries.review_requests import Reviewer, with_reviewers
from apps.governance.queries.visible_rows import ReadAlong
from apps.governance.queries.waiting import waits_for
from apps.governance.rules import ReleaseState
from apps.identity.queries import people_names
from apps.serving.hooks import keeper
from apps.serving.marks import marks
from apps.serving.rules import shared_network
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet_verify.statements import REQUEST_CHANGES

SHOWN_EVENTS = 200
NAMED = ("asked_by", "person", "deputy")  # in the data of events
# not of a recall: that has words of its own, which not everybody sees
WITH_REASON = frozenset(
    kind.name for kind in (RELEASE_ABORTED, RELEASE_FAILED, RELEASE_ROLLED_BACK)
)


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision with the name of who made it and what was said."""

    id: str
    person: str
    name: str
    role: str
    verdict: str
    comment: str
    at: datetime
    passkey: bool
    voided_reason: str
    recalled_since: bool = False  # it let something run, and a recall that stands took it back

    @property
    def holds(self) -> bool:
        """Whether it is a request for changes that stands: the release is held while it waits."""
        return self.verdict == REQUEST_CHANGES and not self.voided_reason


@dataclass(frozen=True, slots=True)
class StoryRow:
    """One event of the release's story. ``index`` is its leaf in the log."""

    index: int
    at: datetime | None  # None where that cannot be read any more
    kind: str
    sentence: str
    actor: str
    name: str  # of who had the actor do it, where that is known
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseView(ComparedRelease):
    """A release as a person needs to see it before deciding, and as the record shows it after:
    ``record`` compares it with what is, or was, ``live``."""

    record: ReleaseRecord
    bound: BoundDigests
    evidence: tuple[EvidenceFact, ...]
    gates: tuple[GateResult, ...]
    all_passed: bool
    decisions: tuple[DecisionRow, ...]
    made: tuple[Decision, ...]  # the same as they are stored, with what was kept of each
    who_opens: tuple[tuple[NamedPerson, ...], ...]  # beside each of the gates
    may_still_decide: tuple[NamedPerson, ...]
    may_decide_again: tuple[NamedPerson, ...]  # who asked for changes, and could open a gate now
    lifting: Lifting  # of the requests for changes that hold it
    cannot_count: tuple[Barred, ...]
    reviewers: tuple[Reviewer, ...]  # who was asked by name
    may_be_asked: tuple[NamedPerson, ...]  # by name to review it
    missing_roles: tuple[str, ...]
    too_few_people: str  # those who could decide, for what is missing, in a sentence; '' for enough
    you_decide_as: str
    you_are_excluded: bool
    you_cannot_count: str
    requester_name: str
    author_name: str
    story: tuple[StoryRow, ...]
    network: str | None  # what the target's node gives a replica, as the gates know it
    waits_for: str  # its turn, or room, in a sentence
    once_you_approve: tuple[GateResult, ...]  # the gates after that; () where the reader may not
    once_you_lift: tuple[GateResult, ...]  # the gates without that of the reader; () if none stands
    your_request: str  # the id of the reader's own request for changes that holds it
    answers: tuple[Answered, ...]  # the requests for changes on former releases that it answers
    answered_by: Answer | None  # the newest release that answers those on it

    @property
    def changes(self) -> Changes:
        """Everything that differs from what it is compared with."""
        return self.record.changes

    @property
    def shared_network(self) -> str:
        """Why its replicas are not kept from the network, '' where they are."""
        return shared_network(self.network, self.release.endpoint.target.name)

    @property
    def egress_marks(self) -> list[str]:
        """What of its destinations should not be read past, a sentence for each."""
        return marks(self.release.serving.get("egress", []), self.release.endpoint.target.url)

    @property
    def skipped(self) -> list[GateResult]:
        """The gates that a broken glass steps over, or stepped over when it started."""
        return [result for result in self.gates if result["state"] == "skipped"]

    @property
    def failing(self) -> list[GateResult]:
        """The gates that neither people nor time will open."""
        return [g for g in self.gates if not g["passed"] and g["state"] in ("failed", "error")]

    @property
    def requests(self) -> list[DecisionRow]:
        """The requests for changes that hold it."""
        waits = self.release.state == ReleaseState.REQUESTED
        return [d for d in self.decisions if waits and d.holds]

    def recalled_since(self, gate: GateResult) -> list[str]:
        """Return by name whose approval, which ``gate`` counted, was recalled since."""
        by = gate["facts"].get("by", ())
        return [d.name for d in self.decisions if d.recalled_since and d.person in by]

    @property
    def can_decide(self) -> bool:
        """Tell whether the reader may decide now."""
        return bool(self.you_decide_as)

    @property
    def can_approve(self) -> bool:
        """Tell whether the policy asks for an approval of the role that the reader decides as."""
        return self.release.policy.approvals.asks(self.you_decide_as)


def release_view(release_id: str, actor: Actor, read_along: ReadAlong | None = None) -> ReleaseView:
    """Return the release with its gates as they stand now, or raise ``NotFound``; ``read_along``
    has the query that reads the release bring more of it.

    At most ten queries: release, facts, evidence, decisions, events, people, texts; of one that is
    unfinished what serves there, and one more while it waits under rules about independence.
    """
    found, served = compared_release(release_id, actor, lambda rows: _along(rows, read_along))
    row, live = found.release, found.live  # gates compare with what served last; it may be over
    facts = gather([row], clock.now(), served=served)[row.pk]
    results = answers(row, facts) if row.state in UNFINISHED_STATES else row.gates
    decisions = _made_on(row)
    logged = Event.objects.filter(subject=row.pk).exclude(kind__in=TALK)
    events = list(logged.order_by("-index")[:SHOWN_EVENTS])
    bodies = [body_of(e.body) for e in reversed(events)]
    people = people_around(row, _ids(row, decisions, bodies))
    more: Any = row  # with what was read along
    texts = unseal_many([*_sealed(decisions, bodies), *(one["comment"] for one in more.answers)])
    return ReleaseView(
        release=row,
        live=live,
        record=record_of(row, live, facts),
        bound=bound_digests(row),
        evidence=tuple(facts.evidence),
        gates=tuple(results),
        all_passed=gates.passed(results),
        decisions=tuple(_decision(d, people.names, texts) for d in decisions),
        made=tuple(decisions),
        **around_decision(more, people, results, decisions, actor, facts),
        you_are_excluded=actor.accountable in row.parties,
        requester_name=people.name(row.requested_by),
        author_name=people.name(row.version.author),
        story=tuple(
            _story(b, e.index, people, texts) for b, e in zip(bodies, reversed(events), strict=True)
        ),
        network=facts.network,
        waits_for=waits_for(row),
        answers=tuple(Answered.of(one, texts) for one in more.answers),
        answered_by=Answer(**more.answered_by) if more.answered_by else None,
    )


def _made_on(row: Release) -> list[Decision]:
    """Return the decisions on a release, each with what was kept of it, whether a recall that
    stands took it back since (``taken_back``), and who can still lift it (``lifts``)."""
    made = Decision.objects.filter(release=row).select_related("record")
    told = with_lifting(made).annotate(taken_back=keeper().took_back(standing=True))
    return [*told.order_by("created_at", "pk")]


def _along(rows: QuerySet[Release], read_along: ReadAlong | None) -> QuerySet[Release]:
    return with_reviewers(with_answers(read_along(rows) if read_along else rows))


def _ids(row: Release, decisions: list[Decision], bodies: list[dict[str, Any]]) -> set[str]:
    ids = {row.requested_by, row.requester, row.version.author}
    asked = {b["data"].get(who, "") for b in bodies for who in NAMED}
    return ids | asked | {d.person for d in decisions} | {b["actor_id"] for b in bodies}


def _sealed(decisions: list[Decision], bodies: list[dict[str, Any]]) -> list[str]:
    return [d.comment_sealed for d in decisions] + [_said(b) for b in bodies]


def _said(body: dict[str, Any]) -> str:
    """Return the commitment of the text that came with an event, '' for none."""
    for key, row in states_of(body).items():
        if row and key.startswith("governance.release:") and body["kind"] in WITH_REASON:
            return str(row.get("ended_reason", ""))
        if row and key.startswith("governance.comment:"):
            return str(row["text_sealed"])
        if row and key.startswith("governance.decision:") and "decided" in body["kind"]:
            return str(row["comment_sealed"])
        if row and key.startswith("governance.breakglasssignature:"):
            return str(row["comment_sealed"])
        if row and key.startswith("governance.breakglass:") and "reviewed" in body["kind"]:
            return str(row["findings_sealed"])
        if row and key.startswith("rollouts.passing:"):  # whoever answered, else who asked
            return str(row["answer"] or row["reason"])
    return ""


def _story(
    body: dict[str, Any], index: int, people: ReleasePeople, texts: dict[str, str]
) -> StoryRow:
    actor = body["data"].get("asked_by") or body["actor_id"]
    return StoryRow(
        index=index,
        at=datetime.fromisoformat(body["at"]) if body["at"] else None,
        kind=body["kind"],
        sentence=line_of(body, people.names),
        actor=actor,
        name=people.name(actor),
        text=texts.get(_said(body), ""),
    )


def decision_rows(decisions: Sequence[Decision]) -> list[DecisionRow]:
    """Return decisions with names and comments, in at most four queries."""
    names = people_names(d.person for d in decisions)
    texts = unseal_many(d.comment_sealed for d in decisions)
    return [_decision(d, names, texts) for d in decisions]


def _decision(decision: Decision, names: dict[str, str], texts: dict[str, str]) -> DecisionRow:
    return DecisionRow(
        id=decision.pk,
        person=decision.person,
        name=names.get(decision.person, decision.person),
        role=decision.role,
        verdict=decision.verdict,
        comment=texts.get(decision.comment_sealed, ""),
        at=decision.created_at,
        passkey=decision.assertion is not None,
        voided_reason=decision.voided_reason,
        recalled_since=not decision.voided_reason and bool(getattr(decision, "taken_back", None)),
    )
