"""Short ways to people, projects, tokens and clients. All of them are made by real actions.

risk = project("risk")
ada = person("Ada", roles={"contributor": risk, "viewer": None})
rex = person("Rex", roles={"reviewer": (risk, "production")})
api(ada).post("/projects/risk/models", {"name": "churn"})
api(token_for(ada, scopes=["model.view"])).get("/projects/risk/models")
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from unittest import mock

from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest, HttpResponse
from django.test import Client

from apps.governance.policy_templates import DEFAULT, TEMPLATES
from apps.identity import actions
from apps.identity.models import Project, ServiceAccount, Team, User
from apps.identity.queries import actor_for_user
from apps.identity.rules import SCOPES
from apps.identity.sign_in.bearers import bearer
from apps.identity.sign_in.freshness import RECORDS
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from tests.support import rows

S = TypeVar("S", User, Team, ServiceAccount)
Place = Project | tuple[Project, str] | None  # a project, one environment of it, or everywhere


def project(slug: str, name: str = "") -> Project:
    """Make a project whose policies have no gate ``isolation``: most tests have no node that could
    say what network it gives. ``test_default_policies.py`` has the default ones whole."""
    return rows.once(
        f"the project {slug} {name}", lambda: _founded(slug, name or slug.capitalize())
    )


def _founded(slug: str, name: str) -> Project:
    usual = TEMPLATES[DEFAULT].sources
    silent = {
        place: "\n".join(line for line in source.splitlines() if "{gate: isolation" not in line)
        for place, source in usual.items()
    }
    with mock.patch.dict(usual, silent):
        return actions.create_project(slug=slug, name=name, actor=SYSTEM)


def person(name: str, roles: Mapping[str, Place] | None = None, password: str = "") -> User:
    """Add a person, ``ada@example.com`` for "Ada", with ``roles``, who has signed in."""
    made = actions.create_person(
        email=f"{name.lower().replace(' ', '.')}@example.com",
        name=name,
        password=password or None,
        actor=SYSTEM,
    )
    made.last_login = now()
    User.objects.filter(pk=made.pk).update(last_login=made.last_login)
    return grant(made, roles or {})


def service_account(
    name: str, owner: User, roles: Mapping[str, Place] | None = None
) -> ServiceAccount:
    """Make a service account of ``owner`` with ``roles``."""
    return grant(actions.create_service_account(name=name, owner=owner, actor=SYSTEM), roles or {})


def team(name: str, *members: User, roles: Mapping[str, Place] | None = None) -> Team:
    """Make a team of ``members`` with ``roles``."""
    made = actions.create_team(name=name, actor=SYSTEM)
    for member in members:
        actions.add_member(made, person=member, actor=SYSTEM)
    return grant(made, roles or {})


def grant(subject: S, roles: Mapping[str, Place]) -> S:
    """Give ``subject`` each role at its place."""
    kind = {User: "person", Team: "team", ServiceAccount: "service_account"}[type(subject)]
    for role, place in roles.items():
        where, environment = place if isinstance(place, tuple) else (place, "")
        actions.grant_role(
            role=role, project=where, environment=environment, actor=SYSTEM, **{kind: subject}
        )
    return subject


def token_for(
    subject: User | ServiceAccount,
    scopes: Iterable[str] = SCOPES,
    project: Project | None = None,
    days: float = 30,
) -> str:
    """Issue a token for ``subject`` (every scope a token may carry by default); return its text."""
    kind = "service_account" if isinstance(subject, ServiceAccount) else "person"
    _, text = actions.issue_token(
        name="test",
        scopes=list(scopes),
        project=project,
        expires_at=now() + timedelta(days=days),
        actor=SYSTEM,
        **{kind: subject},
    )
    return text


def actor_by_token(subject: User | ServiceAccount) -> Actor:
    """Return who acts by a new token of ``subject``."""
    return bearer(token_for(subject)).actor


def actor_of(subject: User | ServiceAccount) -> Actor:
    """Return who ``subject`` is right now: a person just signed in, a service by a token."""
    if isinstance(subject, ServiceAccount):
        return actor_by_token(subject)
    return replace(actor_for_user(User.objects.get(pk=subject.pk)), authenticated_at=now())


class ApiClient(Client):
    """A test client that speaks JSON; paths are relative to ``/api/v1`` unless they begin with
    ``/api/`` or ``/agent/``. Headers are keywords: ``if_match=``, ``idempotency_key=``."""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        /,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> HttpResponse:
        """Send ``body`` as JSON (or ``raw`` as it is)."""
        if not path.startswith(("/api/", "/agent/")):
            path = "/api/v1" + path
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = sent.pop("content-type", "application/json")
        data: Any = raw if raw is not None else "" if body is None else body
        if raw is None and body is not None:
            data = self._encode_json(body, content_type)
        return self.generic(method, path, data, content_type, headers=sent)  # type: ignore[return-value]

    def get(self, path: str, /, **headers: str) -> Any:  # type: ignore[override]
        """GET."""
        return self.call("GET", path, **headers)

    def head(self, path: str, /, **headers: str) -> Any:  # type: ignore[override]
        """HEAD."""
        return self.call("HEAD", path, **headers)

    def post(self, path: str, body: Any = None, /, **headers: Any) -> Any:  # type: ignore[override]
        """POST."""
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, /, **headers: Any) -> Any:  # type: ignore[override]
        """PUT."""
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, /, **headers: Any) -> Any:  # type: ignore[override]
        """PATCH."""
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, body: Any = None, /, **headers: Any) -> Any:  # type: ignore[override]
        """DELETE."""
        return self.call("DELETE", path, body, **headers)


def api(who: User | Actor | str | None = None, *, csrf: bool = False) -> ApiClient:
    """Return an API client: of a person in a session, of a token's text, or of nobody."""
    if isinstance(who, str):
        return ApiClient(headers={"authorization": f"Bearer {who}"}, enforce_csrf_checks=csrf)
    client = ApiClient(enforce_csrf_checks=csrf)
    if who is not None:
        sign_in(client, who)
    return client


def browser(who: User | Actor | None = None, *, csrf: bool = False) -> Client:
    """Return a client for pages, signed in as ``who``."""
    client = Client(enforce_csrf_checks=csrf)
    if who is not None:
        sign_in(client, who)
    return client


def sign_in(client: Client, who: User | Actor) -> None:
    """Open a session as a password does, with the record of it that django-allauth keeps."""
    user = who if isinstance(who, User) else User.objects.get(pk=who.id)
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, method="password")
    request.session.save()


def grow_old(client: Client, minutes: float = 16) -> None:
    """Let the person in the session have authenticated so many minutes earlier than they did."""
    session = client.session
    for record in session[RECORDS]:
        record["at"] -= minutes * 60
    session.save()
