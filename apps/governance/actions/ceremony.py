"""The ceremony of signing: what one person signs is asked of their passkey, and counts with it.

What a passkey is asked to sign is made and kept for five minutes. With its answer the same is made
again, of what is true then: an answer to anything else signs nothing. Where nothing demands a
passkey, whoever has just shown who they are needs none.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, cast

from apps.audit.actions import commitment_of, fresh_salt, seal
from apps.governance.errors import Changed
from apps.identity.errors import NeedsPasskey
from apps.identity.sign_in.freshness import demand_fresh
from apps.identity.trust import passkeys
from apps.identity.trust.passkeys import PasskeyQuestion, public_half, signing_passkey
from apps.serving.errors import Recalled
from apps.serving.hooks import keeper
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import Problem
from placet_verify.permit.approvers import Signed
from placet_verify.signing.keys import KeyRing, PrivateKey, signed_at
from placet_verify.statements import (
    PasskeyBreakGlass,
    PasskeyDecision,
    PasskeyPolicy,
    Statement,
    parse,
)

S = TypeVar("S", bound=Statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony(ABC, Generic[S]):
    """Something that ``actor`` may sign now; the rows that it is about are held."""

    NEEDED: ClassVar = "Sign it with your passkey, on the release's page"
    CHANGED: ClassVar = ""  # what is said when the passkey signed something else
    PROBLEM: ClassVar[type[Problem]] = Changed

    actor: Actor
    about: str  # what a passkey is asked about
    environment: str
    passkey: bool  # whether the policy demands one of them
    words: str = ""  # said with it: sealed, and signed by their commitment

    @abstractmethod
    def statement(self, at: datetime, **signed: str) -> S:
        """Return what the person signs: ``nonce`` and, if they say anything, ``comment_commitment``
        are in it; with ``credential`` it is what that passkey signs."""

    def ask(self, passkey: str) -> PasskeyQuestion:
        """Return what the actor's passkey (``passkey``, else the newest) is to sign."""
        own, salt = signing_passkey(self.actor, passkey), fresh_salt()
        commitment = {"comment_commitment": commitment_of(self.words, salt)} if self.words else {}
        statement = self.statement(
            clock.now(), nonce=secrets.token_hex(16), credential=own.credential, **commitment
        )
        notes = {"own": own.pk, "salt": salt.hex()}
        return passkeys.ask(self.actor, self.about, statement.payload(), public_half(own), notes)

    def sign(
        self, assertion: Mapping[str, Any] | None, signer: PrivateKey, ring: KeyRing
    ) -> tuple[Signed, S]:
        """Sign it, with the passkey's answer, or without where nobody demands one."""
        if assertion is not None:
            signed = self._by_passkey(assertion, signer, ring)
        elif self._demanded(ring):
            raise NeedsPasskey(self.NEEDED)
        else:
            demand_fresh(self.actor)
            commitment = self._sealed(fresh_salt())
            plain = self.statement(clock.now(), nonce=secrets.token_hex(16), **commitment)
            signed = Signed(plain.sign(signer))
        return signed, cast(S, parse(signed.envelope.payload))

    def _demanded(self, ring: KeyRing) -> bool:
        """Tell whether it counts with a passkey only; the system has none."""
        pinned = self.environment in ring.passkeys
        return self.actor.kind != "system" and (pinned or self.passkey)

    def _by_passkey(
        self, assertion: Mapping[str, Any], signer: PrivateKey, ring: KeyRing
    ) -> Signed:
        """Take the answer, when what was signed is still exactly this."""
        answer = passkeys.answered(self.actor, self.about, assertion)
        own = signing_passkey(self.actor, answer.notes["own"], lock=True)
        question = parse(answer.document)
        assert isinstance(question, PasskeyDecision | PasskeyBreakGlass | PasskeyPolicy)  # by `ask`
        commitment = self._sealed(bytes.fromhex(answer.notes.get("salt", "")))
        statement = self.statement(
            question.at, nonce=question.nonce, credential=own.credential, **commitment
        )
        if statement.payload() != answer.document:
            raise self.PROBLEM(self.CHANGED)
        signed = Signed(statement.sign(signer), answer.assertion)
        passkeys.check(signed, own, at=signed_at(signed.envelope), ring=ring)
        if own.credential in keeper().uncounted().passkeys:
            raise Recalled("This passkey was recalled: sign with another one")
        return signed

    def _sealed(self, salt: bytes) -> dict[str, str]:
        """Store what they say, and return its commitment."""
        if not self.words:
            return {}
        return {"comment_commitment": seal(self.words, person=self.actor.accountable, salt=salt)}


def refuse_uncounted(actor: Actor, do: str = "decide") -> None:
    """Raise :class:`Recalled` when what ``actor`` signs does not count."""
    if actor.accountable in keeper().uncounted().people:
        detail = f"Your decisions were recalled: you {do} nothing until that is withdrawn"
        raise Recalled(detail)
