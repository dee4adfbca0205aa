"""The keys whose signatures over models a project trusts, as their page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.console.queries.actor_names import actor_names
from apps.console.queries.page_parts import Sign
from apps.identity.models import Project
from apps.registry.models import SigningKey
from apps.registry.queries import signing_keys
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now

SHOWN = 200


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key, who trusted it, and whether it counts."""

    key: SigningKey
    names: Mapping[str, str]
    now: datetime

    @property
    def ended(self) -> bool:
        """Whether its last day is over."""
        until = self.key.valid_until
        return until is not None and until < self.now

    @property
    def trusted_by(self) -> str:
        """Who trusted it."""
        return f"by {self.names.get(self.key.created_by, '')}"

    @property
    def sign(self) -> Sign:
        """Whether it counts."""
        if self.key.revoked_at:
            return Sign("fail", "✕", "Revoked")
        if self.ended:
            return Sign("plain", "–", "Expired")
        return Sign("pass", "●", "Trusted")

    @property
    def at(self) -> datetime | None:
        """When it was revoked, or else its last day."""
        return self.key.revoked_at or self.key.valid_until

    @property
    def until(self) -> str:
        """What stands before that time."""
        return "" if self.key.revoked_at or self.ended else "until"

    @property
    def revoked_by(self) -> str:
        """What stands behind that time: who revoked it."""
        key = self.key
        return f"by {self.names.get(key.revoked_by, '')}" if key.revoked_at else ""


@dataclass(frozen=True, slots=True)
class SigningKeyListPage:
    """All that the page shows."""

    project: Project
    rows: list[KeyRow]
    may_manage: bool


def signing_key_list_page(project: Project, actor: Actor) -> SigningKeyListPage:
    """Return the keys of a project, newest first."""
    rows = list(signing_keys(project, actor).order_by("-created_at")[:SHOWN])
    people = {row.created_by for row in rows} | {row.revoked_by for row in rows}
    names, at = actor_names(people - {""}), now()
    scope = Scope(project.project_scope(), project.environment_scope())
    return SigningKeyListPage(
        project=project,
        rows=[KeyRow(row, names, at) for row in rows],
        may_manage=actor.can("signing_key.manage", scope),
    )
