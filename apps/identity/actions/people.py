"""Adding, changing and deactivating people."""

from collections.abc import Iterator

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from django.urls import reverse

from apps.audit.actions import erase_texts, record
from apps.audit.models import Audited
from apps.audit.queries import ERASED, is_erased
from apps.identity import hooks
from apps.identity.actions.checks import authorize_access, by_person, unique
from apps.identity.actions.credentials import (
    discard_credentials,
    has_other_credentials,
    lock_credentials,
    log_person,
    restore,
    vouched,
)
from apps.identity.actions.devices import deny_confirmed
from apps.identity.actions.idempotency import forget_answers
from apps.identity.actions.passkeys import withdraw_of
from apps.identity.errors import HasPassword, Inactive, SignsInOtherwise, StillActive
from apps.identity.events import (
    PERSON_CREATED,
    PERSON_DEACTIVATED,
    PERSON_REACTIVATED,
    PERSON_UPDATED,
    SETUP_LINK_MADE,
)
from apps.identity.models import ApiToken, ApproverPasskey, User
from apps.identity.sign_in.reset_tokens import ResetTokens
from apps.identity.trust.vouching import NOBODY, is_vouched
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, Forbidden, InvalidInput
from placet.kernel.texts import clean_text


def create_person(*, email: str, name: str, password: str | None = None, actor: Actor) -> User:
    """Add a person. Only the system gives a first password; anyone else makes a set-up link."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        person = User(email=_address(email), name=clean_text("name", name, limit=120))
        if password is None:
            person.set_unusable_password()
        else:
            _set_first_password(person, password, actor)
        with unique("email"):
            person.save(force_insert=True)
        log_person(log, PERSON_CREATED, person)
        return person


def _address(email: str) -> str:
    email = User.objects.normalize_email(email.strip())
    if any(not c.isprintable() for c in email):  # the validator takes these between quotes
        raise InvalidInput(errors=[FieldError("/email", "It holds a control character")])
    if not email.isascii():  # the validator takes some of these, and two may look the same
        detail = "Write it in ASCII letters, an international domain as xn--…"
        raise InvalidInput(errors=[FieldError("/email", detail)])
    if '"' in email:  # the validator takes "ada"@example.com too, which is another's mailbox
        raise InvalidInput(errors=[FieldError("/email", "Write it without quotation marks")])
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidInput(errors=[FieldError("/email", "Not an e-mail address")]) from None
    return email


def _set_first_password(person: User, password: str, actor: Actor) -> None:
    if actor is not SYSTEM:
        raise Forbidden("A person sets their own password, through a set-up link")
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise InvalidInput(errors=[FieldError("/password", m) for m in error.messages]) from None
    person.set_password(password)


def update_person(person: User, *, name: str, actor: Actor) -> User:
    """Change a person's name.

    The address stays: whoever could change it could have the password reset to themselves.
    """
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        row = vouched(person)
        row.name = clean_text("name", name, limit=120)
        row.save(update_fields=["name"])
        log_person(log, PERSON_UPDATED, row)
        return row


def deactivate_person(person: User, *, actor: Actor) -> User:
    """End a person's access at once: sign-in, every session, every token, their services' tokens.

    Everything that lets them in is discarded: the password (which invalidates each session's
    fingerprint for good), second factors, passkeys, linked identities; passkeys that they signed
    decisions with are withdrawn. Emergency releases that they started and nobody has co-signed yet
    end. A reactivated person starts with a new set-up link. This also
    puts an account right that was changed past Placet: name, address and flags become again what
    the log vouches for.
    """
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        hooks.person_leaves(person, actor)
        row = lock_credentials(person)
        if not row.is_active and (is_vouched(row) or is_erased(row.pk)):
            return row
        restore(row)
        discard_credentials(row)
        row.is_active = False
        row.save(update_fields=["is_active", "password"])
        tokens = _end_tokens(row)
        log_person(log, PERSON_DEACTIVATED, row, *tokens, data={"tokens": len(tokens)})
        withdraw_of(row, log)
        deny_confirmed(log, row)
        hooks.person_deactivated(row, log)
        return row


def _end_tokens(person: User) -> list[ApiToken]:
    open_tokens = ApiToken.objects.select_for_update(no_key=True).filter(revoked_at=None)
    tokens = list(open_tokens.filter(person=person).order_by("pk"))
    services = person.service_accounts.values("pk")
    tokens += list(open_tokens.filter(service_account__in=services).order_by("pk"))
    for token in tokens:
        token.revoked_at = now()
        token.save(update_fields=["revoked_at"])
    return tokens


def reactivate_person(person: User, *, actor: Actor) -> User:
    """Let a deactivated person in again; tokens and password stay gone, so that until they have set
    another they count as somebody who was invited and never came."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        with hooks.more_access(actor):
            row = vouched(person)
            if row.is_active:
                return row
            row.is_active, row.reactivated_at = True, now()
            row.save(update_fields=["is_active", "reactivated_at"])
        log_person(log, PERSON_REACTIVATED, row)
        return row


def erase_person(person: User, *, actor: Actor) -> User:
    """Erase a deactivated person: their name, their address, what they called their tokens and
    passkeys, and with these every text of theirs that the log and signed statements commit to.

    Their id stays where they acted, and every proof valid. Nothing brings the rest back, and
    nobody lets them in again. Called twice it does nothing twice.
    """
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        row = lock_credentials(person)
        if row.is_active:
            raise StillActive
        address = f"{row.pk}{NOBODY}"
        if is_erased(row.pk) and row.email == address:
            return row
        row.name, row.email = ERASED, address
        discard_credentials(row)
        row.save(update_fields=["name", "email", "password"])
        log_person(log, PERSON_UPDATED, row, *_without_names(row))
        erase_texts(row.pk, actor=actor)
        hooks.person_erased(row)
        row.saved_views.all().delete()
        forget_answers()
        return row


def _without_names(person: User) -> Iterator[Audited]:
    """Take the names off what ``person`` acted by, the tokens of their service accounts too, and
    yield each of it."""
    tokens = ApiToken.objects.filter(Q(person=person) | Q(service_account__owner=person))
    passkeys = ApproverPasskey.objects.filter(person=person)
    for rows in (tokens, passkeys):
        for row in rows.select_for_update(of=("self",), no_key=True).order_by("pk"):
            row.name = ERASED
            row.save(update_fields=["name"])
            yield row


def setup_link(person: User, *, actor: Actor = SYSTEM) -> str:
    """Return the path of a one-time page where ``person`` sets a first password.

    The link is signed, dies with its use and after ``PASSWORD_RESET_TIMEOUT``. Only for people
    without a password, passkey, second factor or identity of a provider that is in the settings,
    so that an access admin cannot take over an account in use; the system (a command on the
    server) may make one for anybody.
    """
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        row = vouched(person)
        if not row.is_active:
            raise Inactive
        if row.has_usable_password() and actor is not SYSTEM:
            raise HasPassword
        if has_other_credentials(row) and actor is not SYSTEM:
            raise SignsInOtherwise
        log.add(SETUP_LINK_MADE, row)
        key = ResetTokens().make_token(row)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": row.pk, "key": key})
