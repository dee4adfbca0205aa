"""Who acts, and what they may do: the value every action takes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ActorKind = Literal["person", "service", "system", "node", "anonymous"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a permission holds: everywhere, in a project, or in one of its environments.

    ``project`` is a project id; ``environment`` is an environment's name inside that project.
    """

    project: str | None = None
    environment: str | None = None

    def covers(self, other: "Scope") -> bool:
        """Tell whether a grant here reaches ``other``: the same place or one inside it."""
        if self.project is None:
            return True
        if self.project != other.project:
            return False
        return self.environment is None or self.environment == other.environment


INSTANCE = Scope()


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission at one scope. ``role`` names the role it came from ('' for none)."""

    permission: str
    scope: Scope
    role: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """The subject of an action.

    ``id`` is a public id (``per_…``, ``svc_…``, ``nod_…``) or ``system``. ``owner`` is the person
    who answers for a service account; for a person it is the person; for the system none, unless it
    acts for one and may do what they may. ``token`` is the id of the
    API token in use, ``None`` in a browser session. ``mfa`` says that this session was opened
    with a second factor; ``authenticated_at`` when the person in it last showed who they are,
    ``None`` where nothing tells. ``withheld`` are roles of the person in a session that are in no
    grant: they count once the person has a second factor.
    """

    kind: ActorKind
    id: str
    label: str = ""
    owner: str = ""
    token: str | None = None
    grants: frozenset[Grant] = field(default_factory=frozenset)
    mfa: bool = False
    authenticated_at: datetime | None = None
    withheld: frozenset[str] = frozenset()

    @property
    def accountable(self) -> str:
        """The person id that separation of duties counts: a service account counts as its owner."""
        return self.owner or self.id

    @property
    def in_session(self) -> bool:
        """Tell whether a person acts in a browser session: no program, and not by a token."""
        return self.kind == "person" and self.token is None

    def can(self, permission: str, scope: Scope = INSTANCE) -> bool:
        """Tell whether any grant gives ``permission`` at ``scope``. The system may do anything, for
        a person what they may."""
        if self.kind == "system" and not self.owner:
            return True
        return any(g.permission == permission and g.scope.covers(scope) for g in self.grants)

    def can_somewhere(self, permission: str) -> bool:
        """Tell whether any grant gives ``permission`` at whatever scope (for menus)."""
        free = self.kind == "system" and not self.owner
        return free or any(g.permission == permission for g in self.grants)

    def projects_with(self, permission: str) -> frozenset[str] | None:
        """Return the project ids where ``permission`` is held; ``None`` means all of them."""
        if self.can(permission):
            return None
        return frozenset(
            g.scope.project for g in self.grants if g.permission == permission and g.scope.project
        )


SYSTEM = Actor(kind="system", id="system", label="Placet")
ANONYMOUS = Actor(kind="anonymous", id="anonymous", label="Nobody")
