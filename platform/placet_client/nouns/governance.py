"""Environments, policies, freezes, releases, decisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from placet_client.nouns.base import Listing, Noun, at, changed, given, moment
from placet_client.records import (
    Attempts,
    Comment,
    Decision,
    DecisionDetail,
    DryRunResult,
    Duty,
    Environment,
    Freeze,
    MadeComment,
    OwnAbsence,
    Policy,
    PolicyDetail,
    Presets,
    Release,
    ReleaseDetail,
    ReleasePassedOver,
    Reviewer,
    Reviewers,
    Rollout,
    WaitingRelease,
)
from placet_client.records.base import Json


class Serving(TypedDict, total=False):
    """What a release runs with. ``egress`` names all that it may reach, as ``host:port``;
    ``server`` is ``slim``, or left out for BentoML; ``limits`` are those of its requests, such as
    ``{"in_flight": 4, "queue": 20}``; ``secrets`` names those of the environment by the files in
    which replicas find them. With ``target_inflight``, so many requests in flight for a
    replica, each node scales by load, from ``min_replicas`` to ``max_replicas``."""

    replicas: int
    max_replicas: int
    memory_mb: int
    variables: Mapping[str, str]
    egress: Sequence[str]
    unit: Mapping[str, str]
    capture: Json
    server: str
    limits: Mapping[str, int]
    secrets: Mapping[str, str]
    target_inflight: int
    min_replicas: int


class Environments(Noun):
    """Places to serve in."""

    def list(self, project: str, *, limit: int | None = None) -> Listing[Environment]:
        """List the environments of a project, in order."""
        return self._list(Environment, at("projects", project, "environments"), limit)

    def get(self, project: str, name: str) -> Environment:
        """Read an environment."""
        return self._read(Environment, at("projects", project, "environments", name))

    def plans(self, project: str, name: str) -> Presets:
        """Read the plans that are ready to be chosen for a release to an environment."""
        return self._read(Presets, at("projects", project, "environments", name, "plans"))

    def create(
        self,
        project: str,
        name: str,
        *,
        position: int | None = None,
        targets: Sequence[str] | None = None,
    ) -> Environment:
        """Add an environment."""
        body = given(name=name, position=position, targets=targets)
        return self._do(Environment, at("projects", project, "environments"), body)

    def update(
        self,
        project: str,
        name: str,
        *,
        position: int | None = None,
        targets: Sequence[str] | None = None,
        on_state_expired: str | None = None,
        on_recall: str | None = None,
        plans: Json | None = None,
        promote: Json | None = None,
        review_days: int | None = None,
        if_match: str = "",
    ) -> Environment:
        """Change where an environment stands, its targets, what nodes do when cut off, what its
        endpoints do when what is live is recalled, all of the plans that it has for itself, where
        what soaked here is requested by itself (``{}`` for nowhere), or within how many days who is
        asked by name to review answers (0 for no due date)."""
        body = {
            "position": position,
            "targets": targets,
            "on_state_expired": on_state_expired,
            "on_recall": on_recall,
            "plans": plans,
            "promote": promote,
            "review_days": review_days,
        }
        path = at("projects", project, "environments", name)
        return self._change(Environment, "PATCH", path, changed(body), if_match)


class Policies(Noun):
    """What must pass. Publishing is a person's act: no token may."""

    def list(self, project: str, environment: str, *, limit: int | None = None) -> Listing[Policy]:
        """List the policy revisions of an environment, newest first."""
        return self._list(Policy, self._of(project, environment), limit)

    def get(self, project: str, environment: str, number: int) -> PolicyDetail:
        """Read a policy revision."""
        return self._read(PolicyDetail, self._of(project, environment, number))

    def draft(self, project: str, environment: str, source: str) -> PolicyDetail:
        """Store YAML as a draft."""
        return self._do(PolicyDetail, self._of(project, environment), {"source": source})

    def withdraw(self, project: str, environment: str, number: int) -> Policy:
        """Take a draft back."""
        return self._do(Policy, self._of(project, environment, number, "withdraw"))

    def dry_run(self, project: str, environment: str, number: int) -> DryRunResult:
        """Show how open and live releases fare under a stored revision."""
        return self._do(DryRunResult, self._of(project, environment, number, "dry-run"))

    def try_source(self, project: str, environment: str, source: str) -> DryRunResult:
        """Show how open and live releases fare under YAML; nothing is stored."""
        return self._do(DryRunResult, self._of(project, environment, "dry-run"), {"source": source})

    def _of(self, project: str, environment: str, *more: object) -> str:
        return at("projects", project, "environments", environment, "policies", *more)


class Duties(Noun):
    """How few people could have a release approved, by which steps."""

    def list(self, *, limit: int | None = None) -> Listing[Duty]:
        """List the environments whose access you administer or audit."""
        return self._list(Duty, "/duties", limit)


class Freezes(Noun):
    """Times in which nothing new starts."""

    def list(self, project: str, environment: str, *, limit: int | None = None) -> Listing[Freeze]:
        """List the freezes of an environment."""
        return self._list(Freeze, self._of(project, environment), limit)

    def create(
        self,
        project: str,
        environment: str,
        *,
        reason: str,
        starts_at: datetime | str | None = None,
        ends_at: datetime | str | None = None,
    ) -> Freeze:
        """Let nothing new start, from now on unless told otherwise, until it is lifted."""
        body = given(reason=reason, starts_at=moment(starts_at), ends_at=moment(ends_at))
        return self._do(Freeze, self._of(project, environment), body)

    def lift(self, project: str, environment: str, freeze: str) -> Freeze:
        """End a freeze."""
        return self._do(Freeze, self._of(project, environment, freeze, "lift"))

    def _of(self, project: str, environment: str, *more: object) -> str:
        return at("projects", project, "environments", environment, "freezes", *more)


class Absences(Noun):
    """When the owner of the token is away, and who stands in for them."""

    def get(self) -> OwnAbsence:
        """Read when you are away, who stands in, and who else may."""
        return self._read(OwnAbsence, "/absence")

    def set(
        self,
        deputy: str,
        *,
        ends_at: datetime | str,
        starts_at: datetime | str | None = None,
    ) -> OwnAbsence:
        """Say until when you are away, from now on unless told otherwise, and who stands in: a
        person by id, e-mail address or name."""
        body = given(deputy=deputy, starts_at=moment(starts_at), ends_at=moment(ends_at))
        return self._do(OwnAbsence, "/absence", body)

    def clear(self) -> OwnAbsence:
        """Say that you are back."""
        return self._do(OwnAbsence, "/absence/clear")


class Releases(Noun):
    """Requests to serve. A person decides on them, in the browser: no token may."""

    def list(
        self,
        project: str = "",
        *,
        environment: str = "",
        state: str = "",
        model: str = "",
        endpoint: str = "",
        limit: int | None = None,
    ) -> Listing[Release]:
        """List releases, newest first: of one project, or of all you see."""
        path = at("projects", project, "releases") if project else "/releases"
        return self._list(
            Release,
            path,
            limit,
            environment=environment,
            state=state,
            model=model,
            endpoint=endpoint,
        )

    def inbox(self) -> Listing[WaitingRelease]:
        """List the releases that wait for a decision of the token's owner: those first for which
        they were asked by name."""
        return Listing(self._http, WaitingRelease, "/inbox", paged=False)

    def get(self, release: str) -> ReleaseDetail:
        """Read a release with its gates as they stand now."""
        return self._read(ReleaseDetail, at("releases", release))

    def attempts(self, release: str) -> Attempts:
        """Read what became of earlier releases of its version, in any environment: the last 20."""
        return self._read(Attempts, at("releases", release, "attempts"))

    def passed_over(self, release: str) -> ReleasePassedOver:
        """Read which analyses that people signed its rollouts passed over, by whom and why."""
        return self._read(ReleasePassedOver, at("releases", release, "passed-over"))

    def request(
        self,
        project: str,
        *,
        model: str,
        version: int,
        endpoint: str,
        environment: str = "",
        bento: str = "",
        target: str = "",
        plan: Json | None = None,
        serving: Serving | Json | None = None,
        reason: str = "",
        reviewers: Sequence[str] | None = None,
        review_days: int | None = None,
        review_due_at: datetime | str | None = None,
        idempotency_key: str = "",
    ) -> Release:
        """Ask for a release. Without ``bento`` it is the newest of the version. ``reviewers`` are
        asked by name to review it, until a due date, or where none is given as the environment says
        (0 days: none)."""
        body = given(
            model=model,
            version=version,
            endpoint=endpoint,
            environment=environment,
            bento=bento,
            target=target,
            plan=plan,
            serving=serving,
            reason=reason,
            reviewers=reviewers or None,
            review_days=review_days,
            review_due_at=moment(review_due_at),
        )
        return self._do(Release, at("projects", project, "releases"), body, idempotency_key)

    def reviewers(self, release: str) -> tuple[Reviewer, ...]:
        """Read who was asked by name to review a release."""
        return self._read(Reviewers, at("releases", release, "review-requests")).items

    def request_review(
        self,
        release: str,
        reviewers: Sequence[str],
        *,
        review_days: int | None = None,
        review_due_at: datetime | str | None = None,
    ) -> tuple[Reviewer, ...]:
        """Ask people by name, by their ids, e-mail addresses or names, to review a release, until a
        due date, or where none is given as its environment says (0 days: none); return all who are
        asked."""
        due = given(review_days=review_days, review_due_at=moment(review_due_at))
        body = {"reviewers": [*reviewers], **due}
        return self._do(Reviewers, at("releases", release, "review-requests"), body).items

    def remove_review_request(self, review: str) -> tuple[Reviewer, ...]:
        """Take back that somebody was asked by name; return all who are asked still."""
        return self._do(Reviewers, at("review-requests", review, "remove")).items

    def withdraw(self, release: str) -> Release:
        """Take a request back."""
        return self._do(Release, at("releases", release, "withdraw"))

    def start(self, release: str) -> Rollout:
        """Start the rollout of an approved release."""
        return self._do(Rollout, at("releases", release, "rollout"))

    def permit(self, release: str) -> bytes:
        """Return the signed permit, as ``placet_verify permit`` reads it."""
        return self._bytes(at("releases", release, "permit"))

    def summary(self, release: str) -> bytes:
        """Return the SLSA verification summary of a decided release, as signed (DSSE)."""
        return self._bytes(at("releases", release, "vsa"))

    def bundle(self, release: str, to: Path) -> int:
        """Write a release with all that an outsider needs to check it to a zip; return its size."""
        return self._save(at("releases", release, "bundle"), to)

    def comments(self, release: str, *, limit: int | None = None) -> Listing[Comment]:
        """List the remarks on a release."""
        return self._list(Comment, at("releases", release, "comments"), limit)

    def comment(self, release: str, text: str) -> MadeComment:
        """Add a remark."""
        return self._do(MadeComment, at("releases", release, "comments"), {"text": text})

    def decisions(self, release: str, *, limit: int | None = None) -> Listing[Decision]:
        """List the decisions on a release, voided ones too."""
        return self._list(Decision, at("releases", release, "decisions"), limit)

    def decision(self, decision: str) -> DecisionDetail:
        """Return a decision with what the page of its release showed to who made it."""
        return self._read(DecisionDetail, at("decisions", decision))

    def export_decision(self, decision: str, to: Path) -> int:
        """Write a decision as a zip that openssl alone can check; return its size."""
        return self._save(at("decisions", decision, "export"), to)
