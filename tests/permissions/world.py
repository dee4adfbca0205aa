"""The world that the permission table's requests are made in.

An app adds what its routes need by a function here under ``@part``: objects, the values that
fill its route parameters, the bodies that its writes need to get as far as the permission. Parts
run in the order they stand in, so a part may use what an earlier one made.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.test import Client

from apps.audit.actions import record, write_checkpoint
from apps.governance.actions import draft_policy, set_freeze
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project, RoleBinding, User
from apps.jobs.actions import enqueue
from apps.registry import actions as registered
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from tests import governed
from tests.factories import person, project, service_account, team, token_for

ROLES = ("viewer", "contributor", "reviewer", "approver", "operator", "auditor", "admin")
EVERYWHERE = {"operator", "auditor", "admin"}


@dataclass(slots=True)
class World:
    """What exists, and how to ask for it.

    ``values`` fill route parameters: ``"slug"`` for ``{slug}`` anywhere, or
    ``"targets/name"`` for ``{name}`` right after ``targets/``, which goes first.
    ``bodies`` are sent by ``"METHOD /route"``: JSON under ``/api/`` and ``/agent/``, a form
    elsewhere.
    """

    project: Project
    people: dict[str, User]
    clients: dict[str, Client]
    values: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)

    def path(self, route: str) -> str:
        """Return ``route`` with its parameters filled in."""

        def fill(match: re.Match[str]) -> str:
            before, name = match[1], match[2]
            if f"{before}/{name}" in self.values:
                return f"{before}/{self.values[f'{before}/{name}']}"
            if name in self.values:
                return f"{before}/{self.values[name]}"
            raise KeyError(f"no value for {{{name}}} after {before}/: add one in world.py")

        return re.sub(r"([^/{}]*)/\{(\w+)\}", fill, route)


PARTS: list[Callable[[World], None]] = []


def part(function: Callable[[World], None]) -> Callable[[World], None]:
    """Have ``function`` add to every world."""
    PARTS.append(function)
    return function


def build() -> World:
    """Make one person of each role in the project ``risk``, a stranger, and every part.

    Operator, auditor and admin hold their role everywhere, the others in ``risk``; the stranger
    is signed in and contributes to another project.
    """
    risk, other = project("risk"), project("other")
    people = {
        role: person(role.capitalize(), {role: None if role in EVERYWHERE else risk})
        for role in ROLES
    }
    people["stranger"] = person("Stranger", {"contributor": other})
    clients = {"anonymous": Client()}
    for role, who in people.items():
        clients[role] = Client()
        clients[role].force_login(who)
    world = World(project=risk, people=people, clients=clients)
    for add in PARTS:
        add(world)
    return world


@part
def identity(world: World) -> None:
    """People, teams, service accounts, roles and tokens that belong to none of those who ask."""
    ada = person("Ada", {"viewer": world.project})
    bob = person("Bob")
    crew = team("Crew", ada)
    bot = service_account("bot", owner=ada, roles={"contributor": world.project})
    token_for(bot)
    world.values |= {
        "slug": world.project.slug,
        "people/person": ada.pk,
        "members/person": ada.pk,
        "team": crew.pk,
        "account": bot.pk,
        "role": RoleBinding.objects.get(person=ada).pk,
        "token": bot.apitoken_set.get().pk,
    }
    world.bodies |= {
        "POST /api/v1/projects": {"slug": "new", "name": "New"},
        "PATCH /api/v1/projects/{slug}": {"name": "Newer"},
        "POST /api/v1/people": {"email": "new@example.com", "name": "New"},
        "PATCH /api/v1/people/{person}": {"name": "Newer"},
        "POST /api/v1/people/{person}/reactivate": None,
        "POST /api/v1/teams": {"name": "New"},
        "POST /api/v1/teams/{team}/members": {"person": bob.pk},
        "POST /api/v1/service-accounts": {"name": "new", "owner": ada.pk},
        "POST /api/v1/roles": {"role": "reviewer", "person": bob.pk, "project": "risk"},
        "POST /api/v1/tokens": {
            "name": "mine", "scopes": ["model.view"], "expires_at": rfc3339(now() + timedelta(9)),
        },
    }  # fmt: skip


@part
def jobs_and_audit(world: World) -> None:
    """A job of the project, and a log that is long enough for one full tile."""
    world.values["job"] = enqueue("permissions.nothing", project=world.project.pk).pk
    with record(SYSTEM) as log:
        for _ in range(256):
            log.add(PROJECT_UPDATED, world.project)
    write_checkpoint()
    world.values |= {"index": "0", "level": "0"}


@part
def registry(world: World) -> None:
    """A complete draft with evidence, a finalised version with an alias, an upload under way."""
    model = registered.create_model(world.project, name="drafted", actor=SYSTEM)
    column = {"name": "x", "type": "long"}
    facts: Any = {
        "signature": {"inputs": [column], "outputs": [column]},
        "requirements": ["scikit-learn==1.7.2"],
    }
    draft, done, late = (registered.create_version(model, actor=SYSTEM, **facts) for _ in range(3))
    empty: Any = {"path": "model.joblib", "size": 0, "sha256": sha256(b"").hexdigest()}
    for version in (draft, done):
        registered.start_upload(version, actor=SYSTEM, **empty)
    registered.finalise(done, actor=SYSTEM)
    registered.set_alias(model, name="champion", version=done, actor=SYSTEM)
    fact = registered.add_evidence(draft, kind="metrics", data={"auc": 1}, actor=SYSTEM)
    more: Any = {"path": "more.bin", "size": 4, "sha256": sha256(b"more").hexdigest()}
    version = "/api/v1/projects/{slug}/models/{name}/versions/{number}"
    world.values |= {
        "models/name": model.name,
        "versions/number": str(draft.number),
        "versions/a": str(draft.number),
        "compare/b": str(done.number),
        "files/path": "model.joblib",
        "alias": "champion",
        "evidence/evidence": fact.pk,
        "upload": registered.start_upload(late, actor=SYSTEM, **more).pk,
    }
    world.bodies |= {
        "POST /api/v1/projects/{slug}/models": {"name": "new"},
        "PATCH /api/v1/projects/{slug}/models/{name}": {"description": "new"},
        "PUT /api/v1/projects/{slug}/models/{name}/aliases/{alias}": {"version": 2},
        "POST /api/v1/projects/{slug}/models/{name}/versions": {},
        f"PATCH {version}": {"parameters": {}},
        f"PUT {version}/tags": {"tags": {}},
        f"PUT {version}/card": {"card": ""},
        f"POST {version}/uploads": more,
        f"POST {version}/evidence": {"kind": "metrics", "data": {"auc": 1}},
    }


@part
def governance(world: World) -> None:
    """A release that waits, a decision, a policy draft and a freeze, all made by other people."""
    others = governed.World(world.project.slug, existing=world.project)
    bento = others.bento(others.version("governed"))
    waiting = others.request("staging", bento, endpoint="waiting")
    decided = others.request("staging", others.bento(bento.version), endpoint="decided")
    place = others.environment("staging")
    draft = draft_policy(place, source=governed.OPEN, actor=others.vera)
    freeze = set_freeze(place, reason="x", actor=others.vera)
    environment = "/api/v1/projects/{slug}/environments/{name}"
    world.values |= {
        "environments/name": "staging",
        "policies/number": str(draft.number),
        "freeze": freeze.pk,
        "release": waiting.pk,
        "decision": others.decide(decided, others.rex).pk,
    }
    world.bodies |= {
        "POST /api/v1/projects/{slug}/environments": {"name": "edge"},
        f"PATCH {environment}": {"position": 15},
        f"POST {environment}/freezes": {"reason": "x"},
        f"POST {environment}/policies": {"source": governed.OPEN},
        f"POST {environment}/policies/dry-run": {"source": governed.OPEN},
        "POST /api/v1/projects/{slug}/releases": {
            "model": "governed", "version": 1, "environment": "development", "endpoint": "new",
        },
        "POST /api/v1/releases/{release}/decisions": {
            "verdict": "approve", "statement_digest": waiting.request_digest,
        },
        "POST /api/v1/releases/{release}/comments": {"text": "?"},
    }  # fmt: skip
