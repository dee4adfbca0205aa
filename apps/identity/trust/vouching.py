"""Whether a person, and all that lets them sign in, is what the log vouches for.

Whoever can write to the tables could put another password, address, second factor, passkey or
linked identity beside somebody's name. None of it counts: each change that Placet makes is sealed
in the log with a digest of everything that lets the person in (see ``placet_verify.log.seals``).
"""

import hashlib
from typing import Any

import structlog
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount

from apps.audit.queries.texts import opened_many
from apps.audit.queries.vouched_rows import LoggedRows, last_logged
from apps.audit.rows import plain_state, row_key
from apps.identity.models import CredentialChanges, User
from placet_verify import canonical
from placet_verify.errors import Malformed

NOBODY = "@erased.invalid"  # ends the address of who was erased: no mail reaches it
DOMAIN = b"placet.dev/credentials/v1\x00"
USED = frozenset({"name", "used_mask", "viewed_at"})  # of a factor: changed by mere use
log = structlog.get_logger(__name__)


def credentials(person: User) -> str:
    """Return the digest of all that lets ``person`` sign in, as the tables hold it (four queries).

    The count of changes is read last: what is exchanged meanwhile does not match it.
    """
    factors = Authenticator.objects.filter(user=person).order_by("pk")
    accounts = SocialAccount.objects.filter(user=person).order_by("provider", "uid")
    addresses = EmailAddress.objects.filter(user=person).order_by("email", "pk")
    held: dict[str, Any] = {
        "person": person.pk,
        "password": person.password,
        "factors": [
            [f.pk, f.type, {k: v for k, v in f.data.items() if k not in USED}] for f in factors
        ],
        "accounts": [[a.provider, a.uid] for a in accounts],
        "addresses": [[a.email, a.verified, a.primary] for a in addresses],
    }
    changes = CredentialChanges.objects.filter(pk=person.pk).values_list("count", flat=True)
    held["changes"] = changes.first()
    return "sha256:" + hashlib.sha256(DOMAIN + canonical.dumps(held)).hexdigest()


def about(person: User, *rows: Any) -> LoggedRows:
    """Return what the log says last of ``person``, of their credentials and of ``rows``."""
    return last_logged([person, *rows], datum=(person.pk, "credentials"))


def is_vouched(person: User, said: LoggedRows | None = None) -> bool:
    """Tell whether ``person``, as just read, is column by column what the log vouches for."""
    said = said or about(person)
    state = said.states.get(row_key(person))
    try:
        right = state is not None and _same(person, state) and said.datum == credentials(person)
    except (Malformed, AttributeError):  # a factor whose data only somebody else can have written
        right = False
    if not right:
        log.warning("person_not_vouched", person=person.pk)
    return right


def vouched_texts(state: dict[str, Any]) -> dict[str, str]:
    """Return the person's name and address as the log vouches for them, if they can be read."""
    opened = opened_many(state[name] for name in User.LOG_SEALED)
    return {name: opened[state[name]] for name in User.LOG_SEALED if state[name] in opened}


def _same(person: User, state: dict[str, Any]) -> bool:
    row = plain_state(person)
    plain = row.keys() - User.LOG_SEALED
    texts = vouched_texts(state)
    return (
        row.keys() == state.keys()
        and all(row[name] == state[name] for name in plain)
        and all(texts.get(name) == row[name] for name in User.LOG_SEALED)
    )
