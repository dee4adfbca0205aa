"""Which identity at the provider opens whose account.

One of an issuer does: the first that was linked. A second one with the same address is somebody
who was given the address later, or the same person whom the provider made anew; which of the two
nobody can tell from here. An access admin deactivates and reactivates the person, which lets go of
what was linked.
"""

from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.db import IntegrityError
from django.http import HttpRequest

from apps.identity.actions.credentials import change_credentials
from apps.identity.actions.sessions import note_sign_in_event
from apps.identity.errors import LinkedOtherwise
from apps.identity.events import IDENTITY_LINKED
from apps.identity.models import User


def link_identity(person: User, sociallogin: SocialLogin, request: HttpRequest) -> None:
    """Link the identity that came to ``person``, who has its address.

    Raises :class:`LinkedOtherwise`, ``NotVouched`` and ``Inactive``. Of two that come at once the
    second sees what the first linked: the person's credentials are locked.
    """

    def link(row: User) -> None:
        if is_taken(row, sociallogin.account):
            raise LinkedOtherwise
        sociallogin.lookup()  # the same identity may have come twice at once
        if sociallogin.is_existing:
            return
        sociallogin.connect(request, row)
        note_sign_in_event(IDENTITY_LINKED, person=row)

    try:
        change_credentials(person, link)
    except IntegrityError:  # it was linked to somebody else meanwhile
        raise LinkedOtherwise from None


def is_taken(person: User, account: SocialAccount) -> bool:
    """Tell whether another identity of the issuer of ``account`` is the one of ``person``."""
    issuer = issuer_of(account)
    linked = SocialAccount.objects.filter(user=person, provider=account.provider).order_by("pk")
    first = next((other for other in linked if issuer_of(other) in ("", issuer)), None)
    return first is not None and first.uid != account.uid


def is_of_another_issuer(account: SocialAccount, email: str) -> bool:
    """Tell whether what came as ``account`` was linked when the provider was another one, to
    somebody without the address ``email`` or with another identity by now: a ``sub`` means
    something with its issuer alone."""
    linked = SocialAccount.objects.filter(provider=account.provider, uid=account.uid).first()
    if linked is None or issuer_of(linked) in ("", issuer_of(account)):
        return False
    same = linked.user.email == User.objects.normalize_email(email)
    return not same or is_taken(linked.user, account)


def issuer_of(account: SocialAccount) -> str:
    """Return whose identity it is; empty where that was not written down at the last sign-in."""
    kept = account.extra_data if isinstance(account.extra_data, dict) else {}
    before = kept.get("id_token")  # where releases before 0.2 kept the whole ID token
    issuer = kept.get("iss") or (before.get("iss") if isinstance(before, dict) else None)
    return issuer if isinstance(issuer, str) else ""
