"""The secrets of an environment as its page shows them: names and versions, and no value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.console.queries.actor_names import actor_names
from apps.governance.models import Environment
from apps.identity.queries import scope_of, visible
from apps.serving.models import Endpoint
from apps.serving.queries import uses_of_secrets, visible_secrets
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

SHOWN = 200  # secrets


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One secret."""

    id: str
    name: str
    version: int  # the newest
    is_revoked: bool
    set_by: str
    set_at: datetime
    endpoints: Sequence[Endpoint]  # whose releases use it

    @property
    def standing(self) -> str:
        """Which version is in use."""
        return "revoked" if self.is_revoked else f"version {self.version}"


@dataclass(frozen=True, slots=True)
class SecretList:
    """The secrets of an environment, and what the reader may do with them."""

    environment: Environment
    rows: Sequence[SecretRow]
    may_set: bool

    @property
    def cut(self) -> str:
        """What is said where there may be more than are listed; '' else."""
        return f"These are the first {SHOWN} by name." if len(self.rows) == SHOWN else ""

    @property
    def none(self) -> str:
        """What to do first where there is none."""
        first = "Set one, then name it in a release" if self.may_set else "An operator sets them"
        return f"No secrets. {first}: replicas find it as a file in /secrets."


def secret_list(project: str, name: str, actor: Actor) -> SecretList:
    """Return the secrets of an environment that ``actor`` may see, or raise ``NotFound``."""
    rows = Environment.objects.filter(project__slug=project, name=name).select_related("project")
    environment = visible(rows, actor).first()
    if environment is None:
        raise NotFound
    here = visible_secrets(actor).filter(
        project=environment.project_id, environment=environment.name
    )
    found: list[Any] = list(here.order_by("name")[:SHOWN])
    may_set = actor.can("secret.set", scope_of(environment))
    if not found:
        return SecretList(environment, (), may_set)
    uses = uses_of_secrets(environment.project_id, environment.name)
    endpoints = {
        name: list({row.endpoint_id: row.endpoint for row in rows}.values())
        for name, rows in uses.items()
    }
    names = actor_names({row.set_versions[0].created_by for row in found})
    return SecretList(environment, [_row(row, endpoints, names) for row in found], may_set)


def _row(
    secret: Any, endpoints: Mapping[str, Sequence[Endpoint]], names: Mapping[str, str]
) -> SecretRow:
    newest = secret.set_versions[0]
    return SecretRow(
        id=secret.pk,
        name=secret.name,
        version=newest.number,
        is_revoked=newest.revoked_at is not None,
        set_by=names.get(newest.created_by, newest.created_by),
        set_at=newest.created_at,
        endpoints=endpoints.get(secret.name, ()),
    )
