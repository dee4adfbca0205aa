"""The API tokens of everybody, for who administers access."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from apps.console.queries.administration import AdministrationHead
from apps.console.queries.page_parts import counted
from apps.console.queries.paging import placed
from apps.console.queries.sorting import ALL_TOKENS, Sorting
from apps.console.queries.tokens import TokenRow, revocable
from apps.identity.models import ApiToken
from placet.kernel.clock import now

SOON = timedelta(days=14)
SHOWS = (
    ("unused", "Never used"),
    ("expiring", "Expires within 14 days"),
    ("ended", "Revoked or expired"),
)


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """Which tokens are asked for."""

    owner: str = ""
    show: str = ""


@dataclass(frozen=True, slots=True)
class IssuedTokenRow(TokenRow):
    """A token with who answers for it, and its number on the page."""

    number: int

    @property
    def owner(self) -> Any:
        """The person it acts for, or who answers for its service account."""
        account = self.token.service_account
        return account.owner if account else self.token.person

    @property
    def acts_for(self) -> str:
        """The program it acts for, '' for one of a person."""
        account = self.token.service_account
        return f"service account {account.name}" if account else ""

    @property
    def dialog(self) -> str:
        """The id of the dialog that asks before it is revoked."""
        return f"revoke-{self.number}"


@dataclass(frozen=True, slots=True)
class IssuedTokensPage:
    """One page of all tokens."""

    head: AdministrationHead
    rows: Sequence[IssuedTokenRow]
    count: int
    asked: TokenFilter
    key: str

    @property
    def title(self) -> str:
        """How many there are of those that are asked for."""
        return counted(self.count, "token")

    @property
    def shows(self) -> Sequence[tuple[str, str]]:
        """What narrows the list."""
        return SHOWS

    @property
    def revocable(self) -> bool:
        """Whether several can be chosen to be revoked."""
        return revocable(self.rows)

    @property
    def is_narrowed(self) -> bool:
        """Whether not all that are in force are asked for."""
        return bool(self.asked.owner or self.asked.show)


def issued_tokens_page(
    head: AdministrationHead,
    *,
    asked: TokenFilter,
    sorting: Sorting = ALL_TOKENS,
    after: str = "",
) -> IssuedTokensPage:
    """Return one page of the tokens that are asked for; without a choice those in force."""
    found, at = _narrowed(asked), now()
    related = ("person", "service_account__owner", "project")
    every = ApiToken.objects.all()
    rows, key = placed(found.select_related(*related), every, sorting.fields, after)
    shown = [IssuedTokenRow(row, at, number) for number, row in enumerate(rows, 1)]
    return IssuedTokensPage(head, shown, found.count(), asked, key)


def _narrowed(asked: TokenFilter) -> QuerySet[ApiToken]:
    tokens, at = ApiToken.objects.all(), now()
    if text := asked.owner.strip():
        tokens = tokens.filter(
            Q(person__name__icontains=text)
            | Q(person__email__icontains=text)
            | Q(service_account__name__icontains=text)
            | Q(service_account__owner__name__icontains=text)
        )
    if asked.show == "ended":
        return tokens.filter(~Q(revoked_at=None) | Q(expires_at__lte=at))
    tokens = tokens.filter(revoked_at=None, expires_at__gt=at)
    if asked.show == "unused":
        return tokens.filter(last_used_at=None)
    return tokens.filter(expires_at__lte=at + SOON) if asked.show == "expiring" else tokens
