"""Making and ending service accounts."""

from apps.audit.actions import record
from apps.identity import hooks
from apps.identity.actions.checks import authorize_access, by_person, not_own, unique
from apps.identity.actions.projects import slug_or_refuse
from apps.identity.errors import Inactive
from apps.identity.events import (
    SERVICE_ACCOUNT_CREATED,
    SERVICE_ACCOUNT_DEACTIVATED,
    SERVICE_ACCOUNT_UPDATED,
)
from apps.identity.models import ApiToken, RoleBinding, ServiceAccount, User
from placet.kernel.actor import Actor
from placet.kernel.clock import now


def create_service_account(*, name: str, owner: User, actor: Actor) -> ServiceAccount:
    """Make a service account that ``owner`` answers for; it starts without roles."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        person = User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if not person.is_active:
            raise Inactive("The owner is deactivated")
        account = ServiceAccount(name=slug_or_refuse("name", name), owner=person)
        with unique("name"):
            account.save(force_insert=True)
        log.add(SERVICE_ACCOUNT_CREATED, account)
        return account


def change_owner(account: ServiceAccount, *, owner: User, actor: Actor) -> ServiceAccount:
    """Give a service account another owner; the former owner's tokens for it end.

    Nobody takes over a service account that holds roles: these would be theirs.
    """
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        with hooks.more_access(actor):
            row = ServiceAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
            person = User.objects.select_for_update(no_key=True).get(pk=owner.pk)
            if not person.is_active:
                raise Inactive("The new owner is deactivated")
            if row.owner_id == person.pk:
                return row
            if RoleBinding.objects.filter(service_account=row).exists():
                not_own(actor, person.pk)
            row.owner = person
            row.save(update_fields=["owner"])
        log.add(SERVICE_ACCOUNT_UPDATED, row, *_end_tokens(row))
        return row


def deactivate_service_account(account: ServiceAccount, *, actor: Actor) -> ServiceAccount:
    """End a service account and every token of it. Its owner may do this too."""
    with record(actor) as log:
        row = ServiceAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if row.owner_id != actor.accountable or actor.token is not None:
            by_person(actor)
            authorize_access(actor)
        if not row.is_active:
            return row
        row.is_active = False
        row.save(update_fields=["is_active"])
        tokens = _end_tokens(row)
        log.add(SERVICE_ACCOUNT_DEACTIVATED, row, *tokens, data={"tokens": len(tokens)})
        return row


def _end_tokens(account: ServiceAccount) -> list[ApiToken]:
    tokens = list(
        ApiToken.objects.select_for_update(no_key=True)
        .filter(service_account=account, revoked_at=None)
        .order_by("pk")
    )
    for token in tokens:
        token.revoked_at = now()
        token.save(update_fields=["revoked_at"])
    return tokens
