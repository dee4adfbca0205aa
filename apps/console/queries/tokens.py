"""One's own API tokens, as their page shows them."""

from dataclasses import dataclass
from datetime import datetime

from apps.console.queries.page_parts import Sign, counted
from apps.identity.models import ApiToken, Project
from apps.identity.queries import visible
from apps.identity.rules import NEVER_BY_TOKEN
from placet.kernel.actor import Actor
from placet.kernel.clock import now

DAYS = (1, 7, 30, 90, 365)
LISTED = 4  # so many permissions stand in a row, more are one line that opens


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token, and whether it still counts."""

    token: ApiToken
    now: datetime

    @property
    def counted(self) -> str:
        """How many permissions it has."""
        return counted(len(self.token.scopes), "permission")

    @property
    def is_folded(self) -> bool:
        """Whether its permissions are one line that opens."""
        return len(self.token.scopes) > LISTED

    @property
    def sign(self) -> Sign | None:
        """Why it counts no more; ``None`` while it does."""
        if self.token.revoked_at:
            return Sign("plain", "–", "Revoked")
        return Sign("plain", "–", "Expired") if self.token.expires_at < self.now else None


@dataclass(frozen=True, slots=True)
class TokenListPage:
    """The tokens, and what a new one could be allowed to do."""

    rows: list[TokenRow]
    scopes: list[str]
    projects: list[tuple[str, str]]

    @property
    def days(self) -> list[tuple[int, str]]:
        """For how long one can be valid."""
        return [(days, counted(days, "day")) for days in DAYS]


def token_list_page(actor: Actor) -> TokenListPage:
    """Return the tokens of a person, newest first."""
    own = ApiToken.objects.filter(person=actor.id).select_related("project")
    scopes = sorted({g.permission for g in actor.grants} - NEVER_BY_TOKEN)
    projects = visible(Project.objects.order_by("name"), actor, project="pk")
    at = now()
    return TokenListPage(
        rows=[TokenRow(row, at) for row in own.order_by("-created_at")],
        scopes=scopes,
        projects=[(p.slug, p.name) for p in projects] if scopes else [],
    )
