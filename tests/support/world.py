"""A project with its people and built models, for tests of what is decided about them.

Ada asks, Alan made the model, Rex and Rita review, Vera and Vito approve, and Otto operates.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from apps.builds.models import Bento, Build, Runtime
from apps.governance import actions
from apps.governance.models import Decision, Environment, PolicyRevision, Release
from apps.identity.models import Project, User
from apps.registry.actions import add_evidence, create_model
from apps.registry.models import ModelVersion
from apps.serving.actions import allow_use, create_target
from apps.serving.models import Target
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from tests.support import factories, rows

SIGNATURE = {
    "inputs": [{"name": "age", "type": "double", "required": True}],
    "outputs": [{"name": "prediction", "type": "long"}],
}
OPEN = "version: 1\ngates:\n  - {gate: build}\n"


def digest_of(text: str) -> str:
    """Return a digest that stands for a thing called ``text``."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def listed(target: Target, project: Project, environment: str = "") -> Target:
    """Let a project, or one of its environments, use ``target``."""
    allow_use(target, project=project, environment=environment, actor=SYSTEM)
    return target


@dataclass
class World:
    """One project, its people, and a target that all its environments use."""

    slug: str = "risk"
    existing: Project | None = None
    people: dict[str, User] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.past = f"the world {self.slug}"  # how ``rows.once`` calls it
        self.__dict__ |= rows.once(self.past, self._make)

    def _make(self) -> dict[str, Any]:
        self.target = Target.objects.filter(name="local").first() or Target.objects.create(
            name="local", driver="node", capacity_mb=8192, labels={"default": "true"}
        )
        self.project: Project = self.existing or factories.project(self.slug)
        listed(self.target, self.project)
        for place in Environment.objects.filter(project=self.project, targets=None):
            actions.update_environment(place, targets=[self.target], actor=SYSTEM)
        roles = {
            "Ada": "contributor",
            "Alan": "contributor",
            "Rex": "reviewer",
            "Rita": "reviewer",
            "Vera": "approver",
            "Vito": "approver",
            "Otto": "operator",
        }
        for name, role in roles.items():
            self.people[name] = factories.person(f"{name} {self.slug}", roles={role: self.project})
        return self.__dict__

    def __getattr__(self, name: str) -> Actor:
        """Return a person as an actor in a browser session, e.g. ``world.ada``."""
        if name.capitalize() not in self.people:
            raise AttributeError(name)
        return factories.actor_of(self.people[name.capitalize()])

    def another_target(self, name: str, *environments: str) -> Target:
        """Add a target that lists the project, and put these environments of it there too."""
        target = listed(create_target(name=name, actor=SYSTEM), self.project)
        for place in map(self.environment, environments):
            targets = [*place.targets.all(), target]
            actions.update_environment(place, targets=targets, actor=SYSTEM)
        return target

    def environment(self, name: str) -> Environment:
        """Return an environment of the project."""
        return Environment.objects.get(project=self.project, name=name)

    def version(self, model: str = "churn", *, author: str = "Alan", **fields: Any) -> ModelVersion:
        """Make a finalised version, made by ``author``, without any file."""
        registered = self.project.models.filter(name=model).first() or create_model(
            self.project, name=model, description="", actor=self.ada
        )
        person = self.people[author].pk
        number = registered.versions.count() + 1
        return ModelVersion.objects.create(
            model=registered,
            project=self.project,
            number=number,
            author=person,
            created_by=person,
            artifact_digest=digest_of(f"artifact {self.slug} {model} {number}"),
            **{"format": "sklearn", "state": "finalised", "signature": SIGNATURE, **fields},
        )

    def bento(
        self,
        version: ModelVersion,
        *,
        isolation: str = "bwrap",
        result: str = "equal",
        verdict: str = "safe",
        metrics: dict[str, Any] | None = None,
        slim: bool = True,
    ) -> Bento:
        """Build a Bento of ``version`` with the evidence that a build leaves."""
        count = version.builds.count()
        digest = digest_of(f"bento {version.pk} {count}")
        runtime, _ = Runtime.objects.get_or_create(
            digest=digest_of("runtime"),
            defaults={"python_version": "3.13", "lock": "numpy==2.3.5 \\\n    --hash=sha256:00\n"},
        )
        build = Build.objects.create(
            version=version,
            project=self.project,
            state="succeeded",
            isolation=isolation,
            bento_digest=digest,
            requested_by=self.people["Ada"].pk,
        )
        bento = Bento.objects.create(
            digest=digest,
            version=version,
            project=self.project,
            build=build,
            runtime=runtime,
            size=1000,
            slim=slim,
            provenance="{}",
        )
        scanned = {"verdict": verdict, "findings": [], "scanner": {"name": "placet"}}
        self.measured(version, "scan", bento if verdict == "safe" else None, **scanned)
        self.measured(
            version, "smoke_test", bento, result=result, rows=3, equal=3, isolation=isolation
        )
        if metrics is not None:
            add_evidence(version, kind="metrics", data=metrics, source="reported", actor=self.ada)
        return bento

    def measured(
        self, version: ModelVersion, kind: str, bento: Bento | None = None, **data: Any
    ) -> None:
        """Add evidence as the build worker does."""
        digest = bento.digest if bento else ""
        add_evidence(
            version, kind=kind, data=data, source="measured", bento_digest=digest, actor=SYSTEM
        )

    def policy(self, environment: str, source: str) -> PolicyRevision:
        """Have Vera draft a policy and Vito publish it."""
        draft = actions.draft_policy(self.environment(environment), source=source, actor=self.vera)
        return actions.publish_policy(draft, actor=self.vito).policy

    def request(
        self, environment: str = "staging", bento: Bento | None = None, /, **changes: Any
    ) -> Release:
        """Have Ada ask for a release of a Bento behind the endpoint ``churn``."""
        chosen = bento or self.bento(self.version())
        values = {
            "version": chosen.version,
            "bento": chosen,
            "endpoint": "churn",
            "environment": self.environment(environment),
            "actor": self.ada,
        }
        return actions.request_release(**(values | changes))

    def ask(self, bento: Bento, /, **more: Any) -> tuple[int, str]:
        """Have Ada ask for a development release by the API; return the status and what is wrong
        with what."""
        body = {
            "model": "churn",
            "version": bento.version.number,
            "environment": "development",
            "endpoint": "churn",
        }
        answer = factories.api(self.people["Ada"]).post("/projects/risk/releases", body | more)
        faults = answer.json().get("errors") or []
        return answer.status_code, "; ".join(f"{f['pointer']} {f['detail']}" for f in faults)

    def decide(
        self, release: Release, who: Actor, verdict: str = "approve", **more: Any
    ) -> Decision:
        """Have ``who`` decide on what the release is now, in place of what they asked to change."""
        release.refresh_from_db()
        why = {} if verdict == "approve" else {"comment": "Not like this"}
        own = release.decisions.filter(
            person=who.id, verdict="request_changes", voided_reason=""
        ).first()
        shown = {"statement_digest": release.request_digest, "replaces": own.pk if own else ""}
        shown |= why | more
        return actions.decide(release, verdict=verdict, actor=who, **shown)

    def live(
        self, environment: str = "development", bento: Bento | None = None, **changes: Any
    ) -> Release:
        """Take a Bento all the way to live in an environment that asks for no people."""
        release = self.request(environment, bento, **changes)
        actions.begin_rollout(release, actor=SYSTEM)
        return actions.mark_live(release, actor=SYSTEM)

    def soaked(self, bento: Bento, *, seconds: int = 7200) -> None:
        """Make ``bento`` live in staging since so many seconds."""
        release = self.request("staging", bento)
        self.decide(release, self.rex)
        actions.begin_rollout(release, actor=SYSTEM)
        actions.mark_live(release, actor=SYSTEM)
        Release.objects.filter(pk=release.pk).update(live_at=now() - timedelta(seconds=seconds))
