"""Issuing and revoking API tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.audit.actions import record
from apps.identity.actions.checks import by_person
from apps.identity.errors import Inactive, NotYourToken
from apps.identity.events import TOKEN_ISSUED, TOKEN_REVOKED
from apps.identity.models import ApiToken, Project, ServiceAccount, User
from apps.identity.queries import authorize, own_tokens, visible
from apps.identity.rules import MAX_TOKEN_DAYS, NEVER_BY_TOKEN, SCOPES, new_token_text
from apps.identity.sign_in.bearers import token_hash
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet.kernel.texts import clean_text

USE_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What a token is called, what it may do and where, and until when."""

    name: str
    scopes: Sequence[str]
    expires_at: datetime
    project: Project | None = None


def issue_token(
    *,
    name: str,
    scopes: Sequence[str],
    project: Project | None = None,
    expires_at: datetime,
    person: User | None = None,
    service_account: ServiceAccount | None = None,
    device_login: str = "",
    actor: Actor,
) -> tuple[ApiToken, str]:
    """Make a token and return it with its text, which is shown this once and never stored.

    A token acts for the person who makes it or for a service account they own: an access admin
    could otherwise act as anybody. It never carries more than its holder may do at the time of
    use, and never a decision. ``device_login`` is the login of a device that it is made for.
    """
    by_person(actor)
    if (person is None) == (service_account is None):
        raise InvalidInput("Name exactly one of person and service_account")
    with record(actor) as log:
        _check_holder(actor, person, service_account)
        called = check_terms(TokenTerms(name, scopes, expires_at, project), actor=actor)
        demand_fresh(actor)
        text, prefix = new_token_text()
        token = ApiToken.objects.create(
            name=called,
            prefix=prefix,
            secret_hash=token_hash(text),
            person=person,
            service_account=service_account,
            project=project,
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
        log.add(TOKEN_ISSUED, token, data={"device_login": device_login} if device_login else {})
        return token, text


def check_terms(terms: TokenTerms, *, actor: Actor) -> str:
    """Refuse what no token of ``actor`` may be; return the name as it is kept."""
    _check_scopes(terms.scopes)
    if not now() < terms.expires_at <= now() + timedelta(days=MAX_TOKEN_DAYS):
        detail = f"A time from now on, at most {MAX_TOKEN_DAYS} days ahead"
        raise InvalidInput(errors=[FieldError("/expires_at", detail)])
    if terms.project:
        _check_project(actor, terms.project)
    return clean_text("name", terms.name, limit=120)


def _check_project(actor: Actor, project: Project) -> None:
    if not visible(Project.objects.filter(pk=project.pk), actor, project="pk").exists():
        raise NotFound


def _check_scopes(scopes: Sequence[str]) -> None:
    if not scopes:
        raise InvalidInput(errors=[FieldError("/scopes", "Name at least one permission")])
    for position, scope in enumerate(scopes):
        if scope in NEVER_BY_TOKEN:
            detail = "A token never carries this: a person decides in a browser session"
            raise InvalidInput(errors=[FieldError(f"/scopes/{position}", detail)])
        if scope not in SCOPES:
            raise InvalidInput(errors=[FieldError(f"/scopes/{position}", "No such permission")])


def _check_holder(actor: Actor, person: User | None, account: ServiceAccount | None) -> None:
    """Lock whoever the token acts for; refuse when the actor does not answer for it."""
    if account is not None:
        row = ServiceAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if not row.is_active:
            raise Inactive
        holder = row.owner_id
    else:
        assert person is not None
        holder = person.pk
    owner = User.objects.select_for_update(no_key=True).get(pk=holder)
    if actor.kind != "system" and actor.accountable != owner.pk:
        raise NotYourToken
    if not owner.is_active:
        raise Inactive


def revoke_token(token: ApiToken, *, actor: Actor) -> ApiToken:
    """End a token at once: whoever answers for it may, the token itself, or an access admin."""
    with record(actor) as log:
        row = ApiToken.objects.select_for_update(of=("self",), no_key=True).get(pk=token.pk)
        if not own_tokens(actor).filter(pk=row.pk).exists():
            if not actor.can("access.view"):
                raise NotFound
            authorize(actor, "access.manage", None)
            demand_fresh(actor)
        if row.revoked_at is None:
            row.revoked_at = now()
            row.save(update_fields=["revoked_at"])
            log.add(TOKEN_REVOKED, row)
        return row


def note_token_use(token: str, last_used_at: datetime | None) -> None:
    """Write when the token was last used, at most once a minute; not an event of the log."""
    at = now()
    if last_used_at is not None and at - last_used_at < USE_RESOLUTION:
        return
    ApiToken.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lte=at - USE_RESOLUTION), pk=token
    ).update(last_used_at=at)
