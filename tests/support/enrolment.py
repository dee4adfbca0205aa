"""People with passkeys: made, offered and enrolled by the actions that pages and API call."""

import hashlib
from typing import Any

from allauth.mfa.models import Authenticator as SignInFactor
from fido2.cose import CoseKey
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

from apps.governance import actions as deciding
from apps.governance.models import Decision, PolicyRevision, Release
from apps.identity import actions
from apps.identity.actions.credentials import change_credentials
from apps.identity.models import ApproverPasskey, User
from apps.identity.trust import passkeys
from placet.kernel import keystore
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet_verify.signing.webauthn import decode, encode
from tests.support import rows
from tests.support.authenticator import Authenticator
from tests.support.factories import actor_of
from tests.support.world import World

SIGNED = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: reviewer, count: 1, passkey: true}
"""


def authenticator() -> Authenticator:
    """Return a passkey for this installation's address."""
    return Authenticator(rp_id=passkeys.relying_party(), origin=config().public_origin)


def signs_in_with(person: User, passkey: Authenticator, name: str = "key") -> int:
    """Have ``person`` sign in with ``passkey``, as the account's page does; return its number."""
    cose = CoseKey.for_alg(-7).from_cryptography_key(passkey.key.public_key())
    credential = AttestedCredentialData.create(Aaguid.NONE, decode(passkey.credential), cose)
    data = AuthenticatorData.create(
        hashlib.sha256(passkey.rp_id.encode()).digest(),
        AuthenticatorData.FLAG(0x45),
        0,
        credential,
    )
    registered = {
        "id": passkey.credential,
        "rawId": passkey.credential,
        "type": "public-key",
        "clientExtensionResults": {},
        "response": {
            "clientDataJSON": encode(
                CollectedClientData.create("webauthn.create", b"x", passkey.origin)
            ),
            "attestationObject": encode(AttestationObject.create("none", data, {})),
        },
    }

    def add(row: User) -> int:
        made = SignInFactor.objects.create(
            user=row, type="webauthn", data={"name": name, "credential": registered}
        )
        return int(made.pk)

    return change_credentials(person, add)


def answer(passkey: Authenticator, question: passkeys.PasskeyQuestion) -> dict[str, str]:
    """Return what ``passkey`` answers to ``question``, as the browser sends it."""
    assert question.credential == passkey.credential
    return passkey.answer(decode(question.challenge), origin=config().public_origin).to_dict()


def offered_passkey(
    person: User, passkey: Authenticator | None = None, name: str = "key"
) -> ApproverPasskey:
    """Have ``person`` offer ``passkey``."""
    held, actor = passkey or authenticator(), actor_of(person)
    number = signs_in_with(person, held)
    question = actions.ask_to_offer(number, actor=actor)
    return actions.offer_passkey(number, name=name, assertion=answer(held, question), actor=actor)


def enrolled_by_root(person: User, passkey: Authenticator, name: str = "key") -> ApproverPasskey:
    """Have ``person`` sign with ``passkey``, for which the root key vouches."""
    root = keystore.root_of(config().keys)
    return actions.enrol_by_root(offered_passkey(person, passkey, name), root)


def enrolled_by(
    voucher: User, own: Authenticator, person: User, passkey: Authenticator, **more: Any
) -> ApproverPasskey:
    """Have ``person`` sign with ``passkey``, for which ``voucher`` vouches with their own."""
    row, actor = offered_passkey(person, passkey, **more), actor_of(voucher)
    question = actions.ask_to_enrol(row, actor=actor)
    return actions.enrol_passkey(row, assertion=answer(own, question), actor=actor)


class Signers(World):
    """The project's people, of whom Vera, Vito and Rex have passkeys."""

    def __post_init__(self) -> None:
        self.__dict__ |= rows.once(f"the signers of {self.slug}", self._enrol)
        self.past = f"the signers of {self.slug}"

    def _enrol(self) -> dict[str, Any]:
        super().__post_init__()
        self.keys: dict[str, Authenticator] = {name: authenticator() for name in self.people}
        for name in ("Vera", "Vito"):
            enrolled_by_root(self.people[name], self.keys[name])
        enrolled_by(self.people["Vera"], self.keys["Vera"], self.people["Rex"], self.keys["Rex"])
        return self.__dict__

    def key(self, who: Actor) -> Authenticator:
        """Return the passkey of a person."""
        return next(self.keys[name] for name, user in self.people.items() if user.pk == who.id)

    def sign(
        self,
        release: Release,
        who: Actor,
        verdict: str = "approve",
        comment: str = "",
        **more: str,
    ) -> Decision:
        """Have ``who`` decide with their passkey on what the release is now."""
        release.refresh_from_db()
        said = {
            "verdict": verdict,
            "statement_digest": release.request_digest,
            "comment": comment,
            **more,
        }
        question = deciding.ask_to_decide(release, **said, actor=who)
        assertion = answer(self.key(who), question)
        return deciding.decide(release, **said, assertion=assertion, actor=who)

    def publish(self, environment: str, source: str) -> PolicyRevision:
        """Have Vera draft a policy and Vito publish it with a passkey."""
        draft = deciding.draft_policy(self.environment(environment), source=source, actor=self.vera)
        question = deciding.ask_to_publish(draft, actor=self.vito)
        assertion = answer(self.keys["Vito"], question)
        return deciding.publish_policy(draft, assertion=assertion, actor=self.vito).policy
