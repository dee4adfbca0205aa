"""One's own API tokens, and what a new one could be let do, as their pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Value
from django.db.models.functions import Coalesce

from apps.console.queries.page_parts import Sign, counted
from apps.console.queries.sorting import TOKENS, Sorting
from apps.identity.models import ApiToken, Project
from apps.identity.queries import visible
from apps.identity.rules import NEVER_BY_TOKEN
from apps.identity.rules.permissions import in_groups, in_words
from apps.identity.rules.presets import CUSTOM, DEFAULT, NAMES, PRESETS, Preset, preset_scopes
from placet.kernel.actor import Actor
from placet.kernel.clock import now

DAYS = (1, 7, 30, 90, 365)
USUAL_DAYS = 30
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
LISTED = 4  # so many permissions stand in a row, more are one line that opens
Groups = list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token, and whether it still counts."""

    token: ApiToken
    now: datetime

    @property
    def words(self) -> list[str]:
        """What its permissions are called."""
        return [in_words(scope) for scope in self.token.scopes]

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


def revocable(rows: Sequence[TokenRow]) -> bool:
    """Tell whether there are several that still count, so that they can be chosen."""
    return sum(row.sign is None for row in rows) > 1


@dataclass(frozen=True, slots=True)
class OfferedPreset:
    """A preset, and what the person has, of which its permissions are cut."""

    preset: Preset
    held: Sequence[str]

    @property
    def groups(self) -> Groups:
        """What a token by it can do."""
        return in_groups(preset_scopes(self.preset.name, self.held) or ())

    @property
    def lacking(self) -> str:
        """What its use needs and the person has nowhere, in words; '' where that is nothing."""
        lacking = in_groups(self.preset.lacking(self.held))
        return ", ".join(words for _, scopes in lacking for _, words in scopes)

    @property
    def counted(self) -> str:
        """How many permissions a token by it has."""
        return counted(sum(len(held) for _, held in self.groups), "permission")


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What a new token could be let do, and what of it is chosen."""

    presets: list[OfferedPreset]
    groups: Groups
    projects: list[tuple[str, str]]
    preset: str
    scopes: list[str]
    chosen_days: int
    custom: str = CUSTOM

    @property
    def days(self) -> list[tuple[int, str]]:
        """For how long one can be valid."""
        return [(days, counted(days, "day")) for days in DAYS]


def scopes_held(actor: Actor) -> list[str]:
    """Return the permissions that a token of ``actor`` could carry."""
    return sorted({g.permission for g in actor.grants} - NEVER_BY_TOKEN)


def token_form(actor: Actor, asked: Mapping[str, Any], chosen: list[str], days: int) -> TokenForm:
    """Return the form; ``asked`` and ``chosen`` are what was sent, or what a link preselects."""
    held = scopes_held(actor)
    projects = visible(Project.objects.order_by("name"), actor, project="pk")
    preset = asked.get("preset", "")
    return TokenForm(
        presets=[OfferedPreset(p, held) for p in PRESETS],
        groups=in_groups(held),
        projects=[(p.slug, p.name) for p in projects] if held else [],
        preset=preset if preset in NAMES else CUSTOM if chosen else DEFAULT,
        scopes=chosen or (preset_scopes("read", held) or []),
        chosen_days=days,
    )


def token_rows(actor: Actor, sorting: Sorting = TOKENS) -> list[TokenRow]:
    """Return the tokens of a person; what was never used counts as used before all others."""
    own, at = ApiToken.objects.filter(person=actor.id).select_related("project"), now()
    own = own.annotate(used=Coalesce("last_used_at", Value(NEVER)))
    return [TokenRow(row, at) for row in own.order_by(*sorting.fields)]
