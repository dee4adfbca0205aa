"""Adding, changing and deactivating people."""

from allauth.account.forms import default_token_generator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse

from apps.audit.actions import record
from apps.identity import guards
from apps.identity.actions.checks import by_person, clean_text, unique
from apps.identity.errors import HasPassword, Inactive
from apps.identity.events import (
    PERSON_CREATED,
    PERSON_DEACTIVATED,
    PERSON_REACTIVATED,
    PERSON_UPDATED,
    SETUP_LINK_MADE,
)
from apps.identity.models import ApiToken, User
from apps.identity.queries import authorize
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, Forbidden, InvalidInput


def create_person(*, email: str, name: str, password: str | None = None, actor: Actor) -> User:
    """Add a person. Only the system gives a first password; anyone else makes a set-up link."""
    by_person(actor)
    with record(actor) as log:
        authorize(actor, "access.manage", None)
        person = User(email=_address(email), name=clean_text("name", name))
        if password is None:
            person.set_unusable_password()
        else:
            _set_first_password(person, password, actor)
        with unique("email"):
            person.save(force_insert=True)
        log.add(PERSON_CREATED, person)
        return person


def _address(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput(errors=[FieldError("/email", "Not an e-mail address")]) from None
    return email


def _set_first_password(person: User, password: str, actor: Actor) -> None:
    if actor is not SYSTEM:
        raise Forbidden("A person sets his own password, through a set-up link")
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise InvalidInput(errors=[FieldError("/password", m) for m in error.messages]) from None
    person.set_password(password)


def update_person(person: User, *, name: str, actor: Actor) -> User:
    """Change a person's name.

    The address stays: whoever could change it could have the password reset to himself.
    """
    by_person(actor)
    with record(actor) as log:
        row = User.objects.select_for_update().get(pk=person.pk)
        authorize(actor, "access.manage", None)
        row.name = clean_text("name", name)
        row.save(update_fields=["name"])
        log.add(PERSON_UPDATED, row)
        return row


def deactivate_person(person: User, *, actor: Actor) -> User:
    """End a person's access at once: sign-in, every session, every token, and his services' tokens.

    The password is discarded, which invalidates each session's fingerprint for good; a
    reactivated person starts with a new set-up link.
    """
    by_person(actor)
    with record(actor) as log:
        row = User.objects.select_for_update().get(pk=person.pk)
        authorize(actor, "access.manage", None)
        if not row.is_active:
            return row
        guards.check("person.deactivated", row, actor)
        row.is_active = False
        row.set_unusable_password()
        row.save(update_fields=["is_active", "password"])
        tokens = _end_tokens(row)
        log.add(PERSON_DEACTIVATED, row, *tokens, data={"tokens": len(tokens)})
        return row


def _end_tokens(person: User) -> list[ApiToken]:
    open_tokens = ApiToken.objects.select_for_update().filter(revoked_at=None)
    tokens = list(open_tokens.filter(person=person).order_by("pk"))
    services = person.service_accounts.values("pk")
    tokens += list(open_tokens.filter(service_account__in=services).order_by("pk"))
    for token in tokens:
        token.revoked_at = now()
        token.save(update_fields=["revoked_at"])
    return tokens


def reactivate_person(person: User, *, actor: Actor) -> User:
    """Let a deactivated person in again; tokens and password stay gone."""
    by_person(actor)
    with record(actor) as log:
        row = User.objects.select_for_update().get(pk=person.pk)
        authorize(actor, "access.manage", None)
        if row.is_active:
            return row
        guards.check("person.reactivated", row, actor)
        row.is_active = True
        row.save(update_fields=["is_active"])
        log.add(PERSON_REACTIVATED, row)
        return row


def setup_link(person: User, *, actor: Actor = SYSTEM) -> str:
    """Return the path of a one-time page where ``person`` sets a first password.

    The link is signed, dies with its use and after ``PASSWORD_RESET_TIMEOUT``. Only for people
    without a password, so that an access admin cannot take over an account in use; the system
    (a command on the server) may make one for anybody.
    """
    by_person(actor)
    with record(actor) as log:
        row = User.objects.select_for_update().get(pk=person.pk)
        authorize(actor, "access.manage", None)
        if not row.is_active:
            raise Inactive
        if row.has_usable_password() and actor is not SYSTEM:
            raise HasPassword
        log.add(SETUP_LINK_MADE, row)
        key = default_token_generator.make_token(row)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": row.pk, "key": key})
