"""Passkeys that people sign decisions with, as the pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from allauth.mfa.models import Authenticator

from apps.identity.models import ApproverPasskey, PasskeyState
from apps.identity.queries import visible_passkeys
from apps.identity.trust.passkeys import credential_of, public_half
from placet.kernel import keystore
from placet.kernel.actor import Actor

SHOWN = 200


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """One passkey and what the reader may do with it."""

    passkey: ApproverPasskey
    fingerprint: str
    own: bool
    may_vouch: bool
    may_withdraw: bool

    @property
    def spelled(self) -> str:
        """The whole fingerprint as one person reads it to another, in groups of four digits."""
        digits = self.fingerprint.removeprefix("sha256:")
        return " ".join(digits[index : index + 4] for index in range(0, len(digits), 4))

    @property
    def voucher(self) -> str:
        """Who vouched for it; a dash while nobody has."""
        if self.passkey.vouched_by:
            return self.passkey.vouched_by.person.public_name
        return "the root key" if self.passkey.enrolled_at else "–"

    @property
    def signs(self) -> bool:
        """Whether what it signs counts."""
        return self.passkey.state == PasskeyState.ENROLLED


@dataclass(frozen=True, slots=True)
class PasskeyListPage:
    """Everything the page of passkeys shows."""

    offered: list[PasskeyRow]
    rows: list[PasskeyRow]
    own: list[ApproverPasskey]  # enrolled: what the reader may sign with
    sign_in: list[Authenticator]  # what the reader may still offer
    pinned: list[str]  # the environments in which nothing counts without

    @property
    def some(self) -> bool:
        """Whether there is anything to take away."""
        return bool(self.rows or self.offered)

    @property
    def another(self) -> str:
        """Continues the sentence on what must come first for the reader to offer one."""
        return " to offer another" if self.own else ""


@dataclass(frozen=True, slots=True)
class Signing:
    """How a form is signed: with which of the reader's passkeys, or that they have none."""

    passkeys: list[ApproverPasskey]
    challenge: str  # the address that answers what is to be signed
    fields: str  # of the form, that it goes over

    @property
    def missing(self) -> bool:
        """Whether a passkey is asked for and the reader has none."""
        return not self.passkeys

    @property
    def only(self) -> ApproverPasskey | None:
        """The one that signs, where there is nothing to choose."""
        return self.passkeys[0] if len(self.passkeys) == 1 else None


def passkey_list_page(actor: Actor) -> PasskeyListPage:
    """Return the passkeys the reader sees, those that wait for somebody to vouch first."""
    passkeys = list(visible_passkeys(actor).order_by("-created_at")[:SHOWN])
    own = [p for p in passkeys if p.person_id == actor.id and p.state == PasskeyState.ENROLLED]
    vouches = bool(own) and actor.can_somewhere("release.approve")
    rows = [_row(p, actor, vouches=vouches) for p in passkeys]
    taken = {p.credential for p in passkeys if p.person_id == actor.id}
    return PasskeyListPage(
        offered=[row for row in rows if row.passkey.state == PasskeyState.OFFERED],
        rows=[row for row in rows if row.passkey.state != PasskeyState.OFFERED],
        own=own,
        sign_in=[a for a in _sign_in(actor) if credential_of(a) not in taken],
        pinned=sorted(keystore.ring().passkeys),
    )


def signing(
    environment: str, challenge: str, fields: str, actor: Actor, *, demanded: bool
) -> Signing | None:
    """Return how the reader signs a form where a passkey is ``demanded`` of them, by a policy or by
    ``keys.json``; else ``None``."""
    if environment not in keystore.ring().passkeys and not demanded:
        return None
    rows = ApproverPasskey.objects.filter(person=actor.accountable, state=PasskeyState.ENROLLED)
    return Signing(list(rows.order_by("-enrolled_at")), f"/api/v1/{challenge}", fields)


def _row(passkey: ApproverPasskey, actor: Actor, *, vouches: bool) -> PasskeyRow:
    own = passkey.person_id == actor.id
    ends = passkey.state != PasskeyState.WITHDRAWN and (own or actor.can("access.manage"))
    return PasskeyRow(
        passkey=passkey,
        fingerprint=public_half(passkey).fingerprint,
        own=own,
        may_vouch=vouches and not own and passkey.state == PasskeyState.OFFERED,
        may_withdraw=ends,
    )


def _sign_in(actor: Actor) -> Sequence[Authenticator]:
    rows = Authenticator.objects.filter(user_id=actor.id, type=Authenticator.Type.WEBAUTHN)
    return list(rows.order_by("-created_at"))
