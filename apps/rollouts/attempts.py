"""What became of earlier attempts to release a version: of its earlier releases, and of rollouts
that were tried again. Read in the query that reads a release."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.audit.queries import unseal_many
from apps.governance.models import FIRST_LIVE, Decision, Release
from apps.governance.plan import Plan
from apps.governance.queries.promotions import opened_by_itself
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in, visible
from apps.rollouts.models import Rollout
from apps.rollouts.passed import PassedOver, passings_told, told_in
from apps.rollouts.rules.facts import NO_REASON
from apps.rollouts.states import RolloutKind
from apps.serving.hooks import keeper
from apps.serving.rules import EndpointState
from placet.kernel.actor import SYSTEM, Actor
from placet_verify.statements import REJECT

MOST = 20  # releases that are told of
ROLLOUTS, DECISIONS = 5, 10  # of each
WORST = (  # the ends that a sentence is said of, the worst first; it names what it was that ended
    ("release", ReleaseState.REVOKED, "was revoked by a recall"),
    ("release", ReleaseState.ROLLED_BACK, "was rolled back"),
    ("rollout", ReleaseState.FAILED, "failed"),
    ("rollout", ReleaseState.ABORTED, "was aborted"),
    ("release", ReleaseState.REJECTED, "was rejected"),
)
# how bad each of them is: that a rollout was aborted is as bad as that it failed
BADNESS: dict[str, int] = dict(zip((state for _, state, _ in WORST), (4, 3, 2, 2, 1), strict=True))
COLUMNS = {
    "id": "pk",
    "environment": "environment__name",
    "endpoint": "endpoint__name",
    "endpoint_state": "endpoint__state",
    "bento": "bento",
    "reason": "ended_reason",
    "plan": "plan",
    **{name: name for name in ("number", "state", "requested_by", "live_at", "ended_at")},
    **{name: name for name in ("created_at", "approved_at", "requester")},
    "first_live_at": FIRST_LIVE,
}


@dataclass(frozen=True, slots=True)
class AttemptDecision:
    """What somebody decided on an earlier release, and with which words."""

    person: str
    name: str
    role: str
    verdict: str
    comment: str
    at: datetime
    voided_reason: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: an earlier release and what became of it, or a rollout of it that ended badly
    before it was tried again. ``by`` is '' where nobody is known to have ended it, ``reason`` where
    there is none or it is not told, ``role`` but of a rejection."""

    release: str
    number: int
    environment: str
    endpoint: str
    is_same_build: bool
    is_own: bool  # an earlier rollout of the release that is looked at
    requested_by: str
    requester_name: str
    requested_at: datetime
    decisions: tuple[AttemptDecision, ...]
    rollout: str  # '' where it never started, or that is not visible
    outcome: str  # as the state of a release is told
    by: str
    by_name: str
    role: str
    reason: str
    at: datetime
    first_live_at: datetime | None
    live_at: datetime | None  # later where it was started or gone back to since
    ended_at: datetime | None
    recall: str  # what revoked it, for who may see that
    passed_over: tuple[PassedOver, ...]  # analyses that people signed, in its rollouts
    requester: str = ""  # who answers for it
    opened: Mapping[str, Any] | None = None  # as ``opened_by_itself`` has it

    @property
    def said(self) -> str:
        """Why it ended: people's words as a quotation, those of the platform as they are."""
        if self.reason and self.by.startswith(("per_", "svc_")):
            return f"“{self.reason}”"
        return self.reason


@dataclass(frozen=True, slots=True)
class WorstAttempt:
    """The worst that became of the attempts, in a sentence with the time in its middle."""

    attempt: Attempt
    before: str
    many: int  # attempts that are told of, this one among them
    is_cut: bool = False  # whether there were more

    @property
    def sentence(self) -> str:
        """All of it."""
        at, said = self.attempt.at, self.attempt.said
        return f"{self.before} on {at.day} {at:%B %Y}{f': {said}' if said else '.'}"


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts before a release, the last one first; ``is_cut`` where there were more."""

    rows: tuple[Attempt, ...]
    worst: WorstAttempt | None
    is_cut: bool


def with_attempts(releases: QuerySet[Release], actor: Actor) -> QuerySet[Release, Any]:
    """Have each release bring what :func:`attempts_before` tells from (``attempts``), without a
    query of its own: of its version what ``actor`` may see, its own first."""
    rows = Release.objects.filter(version=OuterRef("version"), number__lte=OuterRef("number"))
    rows = visible(rows, actor, view="release.view").order_by("-number")
    told = JSONObject(
        requester_name=name_in("requested_by"),
        opened=opened_by_itself(),
        decisions=_decisions(),
        rollouts=_rollouts(actor),
        rollback=rollback_of(actor),
        revoking=keeper().that_revoked(),
        **COLUMNS,
    )
    return releases.annotate(attempts=ArraySubquery(rows.values(json=told)[: MOST + 2]))


def rollback_of(actor: Actor = SYSTEM) -> Subquery:
    """Return the rollout that took a release back, if ``actor`` may see it, as a column of a query
    that reads releases."""
    went = Rollout.objects.filter(kind=RolloutKind.ROLLBACK, endpoint=OuterRef("endpoint"))
    went = _seen(went, actor)
    went = went.filter(from_revision__release=OuterRef("pk")).order_by("-created_at")
    rows = {"from": "from_revision__number", "to": "to_revision__number", "at": "created_at"}
    told = JSONObject(id="pk", by="started_by", name=name_in("started_by"), **rows)
    return Subquery(went.values(json=told)[:1])


def _decisions() -> ArraySubquery:
    """The last one first."""
    rows = Decision.objects.filter(release=OuterRef("pk")).order_by("-created_at", "-pk")
    columns = {"comment": "comment_sealed", "at": "created_at", "voided_reason": "voided_reason"}
    same = {name: name for name in ("person", "role", "verdict")}
    told = JSONObject(name=name_in("person"), **columns, **same)
    return ArraySubquery(rows.values(json=told)[:DECISIONS])


def _rollouts(actor: Actor) -> ArraySubquery:
    """The last one first; what goes back to a release is no attempt to release it."""
    rows = Rollout.objects.filter(release=OuterRef("pk"), kind=RolloutKind.RELEASE)
    rows = _seen(rows, actor).order_by("-created_at")
    same = {name: name for name in ("state", "reason", "created_at", "finished_at")}
    same |= {"replaces": "from_revision"}
    name, passed = name_in("aborted_by"), passings_told()
    told = JSONObject(id="pk", by="aborted_by", name=name, passed=passed, **same)
    return ArraySubquery(rows.values(json=told)[: ROLLOUTS + 1])


def _seen(rows: QuerySet[Rollout], actor: Actor) -> QuerySet[Rollout]:
    """Return those of the projects where ``actor`` sees rollouts; a column of no project at all
    cannot be read."""
    projects = actor.projects_with("rollout.view")
    return rows if projects is None else rows.filter(project__in=projects or [""])


def attempts_before(release: Any, actor: Actor) -> Attempts:
    """Return the attempts before ``release``, which was read :func:`with_attempts`: at most one
    query for what people wrote, and one for the recalls that ``actor`` may see."""
    entries = release.attempts[: MOST + 1]
    texts = unseal_many(d["comment"] for one in entries for d in one["decisions"])
    told = keeper().told_to([one["revoking"] for one in entries if one["revoking"]], actor)
    rows = tuple(row for one in entries for row in _told(one, release, texts, told))
    return Attempts(rows, worst_of(rows, release), _is_cut(release))


def worst_before(release: Any, actor: Actor) -> WorstAttempt | None:
    """Return the worst of the attempts before ``release``, as :func:`attempts_before` does: one
    query where that is a rejection, or a recall that ``actor`` may see, else none."""
    entries = release.attempts[: MOST + 1]
    rows = [row for one in entries for row in _told(one, release, {}, {})]
    worst = worst_of(rows, release)
    if worst is None:
        return None
    worst = replace(worst, is_cut=_is_cut(release))
    if worst.attempt.outcome not in (ReleaseState.REJECTED, ReleaseState.REVOKED):
        return worst
    entry = next(one for one in entries if one["id"] == worst.attempt.release)
    texts = unseal_many(d["comment"] for d in _rejecting(entry))
    told = keeper().told_to([entry["revoking"]] if entry["revoking"] else [], actor)
    (known, *_) = _told(entry, release, texts, told)
    return replace(worst, attempt=known, before=_words(known, release))


def _is_cut(release: Any) -> bool:
    """Whether there were more releases, or rollouts of one of those that are told of."""
    many = any(len(one["rollouts"]) > ROLLOUTS for one in release.attempts)
    return many or len(release.attempts) > MOST + 1


def worst_of(rows: Sequence[Attempt], release: Release) -> WorstAttempt | None:
    """Return the worst that was known when ``release`` was decided, or what became of its own
    rollouts; of the equally bad the last one in its environment, else anywhere. ``None``: none
    ended badly."""
    decided = release.approved_at or release.ended_at
    known = (row for row in rows if row.is_own or decided is None or row.at <= decided)
    bad = [row for row in known if row.outcome in BADNESS]
    if not bad:
        return None
    here = release.environment.name
    worst = max(bad, key=lambda row: (BADNESS[row.outcome], row.environment == here, row.at))
    return WorstAttempt(worst, _words(worst, release), len(rows))


def _words(row: Attempt, release: Release) -> str:
    """Return the sentence about an attempt up to its time."""
    noun, did = next((noun, did) for noun, state, did in WORST if state == row.outcome)
    if row.outcome == ReleaseState.FAILED and not row.rollout:
        noun = "release"
    what = "this version" if row.is_same_build else "another build of this version"
    where = f" to {row.environment}"
    if row.endpoint != release.endpoint.name:
        where += f" / {row.endpoint}"
    if row.is_own:
        what, where = "this release", ""
    by = f" by {row.by_name}" if row.by else ""
    if row.outcome == ReleaseState.REVOKED and row.by:  # of what, that may be of a signature alone
        by = f" that {row.by_name} made"
    role = f" (as {row.role})" if row.role else ""
    return f"An earlier {noun} of {what}{where} {did}{by}{role}"


def _told(
    one: Mapping[str, Any],
    release: Release,
    texts: Mapping[str, str],
    told: Mapping[str, Mapping[str, Any]],
) -> Iterator[Attempt]:
    """Yield a release as it ended, but not that which is looked at, and its rollouts before the
    last one, which ended badly: else it would not have been tried again."""
    is_own = one["id"] == release.pk
    shared: dict[str, Any] = {
        "release": one["id"],
        "is_own": is_own,
        "is_same_build": one["bento"] == release.bento_id,
        "requested_at": _time(one["created_at"]),
        "decisions": tuple(_decision(row, texts) for row in reversed(one["decisions"])),
        **{name: one[name] for name in ("number", "environment", "endpoint")},
        **{name: one[name] for name in ("requested_by", "requester_name", "requester", "opened")},
    }
    passed = [_passed(row, one["plan"]) for row in one["rollouts"]]
    if not is_own:
        last = passed[0] if passed else ()
        yield Attempt(**shared, **_whole(one, texts, told), passed_over=last)
    told_of = slice(1, ROLLOUTS)
    for row, went_past in zip(one["rollouts"][told_of], passed[told_of], strict=True):
        at = _time(row["finished_at"] or row["created_at"])
        ended = {"outcome": row["state"], "at": at, "ended_at": at}
        ended |= dict.fromkeys(("first_live_at", "live_at"))
        said = {"by": row["by"], "by_name": row["name"], "reason": _reason(row["reason"])}
        said |= {"role": "", "recall": ""}
        yield Attempt(**shared, **ended, **said, rollout=row["id"], passed_over=went_past)


def _passed(rollout: Mapping[str, Any], plan: Mapping[str, Any]) -> tuple[PassedOver, ...]:
    """Return the analyses that a rollout went past; where it replaced nothing it has none."""
    if not rollout["replaces"]:
        return ()
    return tuple(told_in(rollout["passed"], Plan.stored(plan).steps))


def _whole(
    one: Mapping[str, Any], texts: Mapping[str, str], told: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return how a release ended, or how far it is."""
    last = next(iter(one["rollouts"]), None)
    names = ("first_live_at", "live_at", "ended_at")
    first_live_at, live_at, ended_at = (one[name] and _time(one[name]) for name in names)
    stopped = one["state"] == ReleaseState.LIVE and one["endpoint_state"] == EndpointState.STOPPED
    started = last["created_at"] if last else one["approved_at"] or one["created_at"]
    return {
        "outcome": EndpointState.STOPPED.value if stopped else one["state"],
        "at": ended_at or live_at or _time(started),
        "first_live_at": first_live_at,
        "live_at": live_at,
        "ended_at": ended_at,
        "rollout": last["id"] if last else "",
        **_ended(one, last, texts, told),
    }


def _ended(
    one: Mapping[str, Any],
    last: Mapping[str, Any] | None,
    texts: Mapping[str, str],
    told: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """Return by whom a release ended and why."""
    said = {"by": "", "by_name": "", "role": "", "reason": _reason(one["reason"]), "recall": ""}
    match one["state"]:
        case ReleaseState.REJECTED:
            for row in _rejecting(one)[:1]:
                who = {"by": row["person"], "by_name": row["name"], "role": row["role"]}
                said |= {**who, "reason": texts.get(row["comment"], "")}
        case ReleaseState.ABORTED if last:
            said |= {"by": last["by"], "by_name": last["name"] if last["by"] else ""}
        case ReleaseState.ROLLED_BACK if one["rollback"]:
            said |= {"by": one["rollback"]["by"], "by_name": one["rollback"]["name"]}
        case ReleaseState.REVOKED:
            recall = told.get((one["revoking"] or {}).get("id", ""), {})
            said |= {name: recall.get(name, "") for name in ("by", "by_name", "reason")}
            said["recall"] = recall.get("id", "")
    return said


def _rejecting(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [d for d in one["decisions"] if d["verdict"] == REJECT and not d["voided_reason"]]


def _decision(row: Mapping[str, Any], texts: Mapping[str, str]) -> AttemptDecision:
    said = {"comment": texts.get(row["comment"], ""), "at": _time(row["at"])}
    return AttemptDecision(**{**row, **said})


def _reason(text: str) -> str:
    return "" if text == NO_REASON else text


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
