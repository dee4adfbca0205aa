"""The keys whose signatures over models (``model.sig``) a project trusts."""

from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit.actions import record
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.registry import rules
from apps.registry.actions.locking import refuse
from apps.registry.errors import KeyKnown, KeyRevoked
from apps.registry.events import SIGNING_KEY_ADDED, SIGNING_KEY_REVOKED
from apps.registry.models import SigningKey
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now, now
from placet.kernel.problems import FieldError, NotFound
from placet_verify.errors import Malformed
from placet_verify.signing import model_signature

MAX_PEM = 2000


def trust_signing_key(
    project: Project, *, label: str, pem: str, valid_until: datetime | None = None, actor: Actor
) -> SigningKey:
    """Trust a public key's signatures over models that come into ``project``.

    Raises :class:`KeyKnown` when the project has the key or the label, revoked or not.
    """
    with record(actor) as log:
        authorize(actor, "signing_key.manage", project, view="project.view")
        demand_fresh(actor)  # a gate counts what it signs
        faults = rules.label_faults(label)
        if valid_until is not None and valid_until <= now():
            faults.append(FieldError("/valid_until", "It must lie in the future"))
        key, key_faults = _read(pem)
        refuse(faults + key_faults)
        assert key is not None
        row = SigningKey(
            project=project,
            label=label,
            pem=key.pem.decode("ascii"),
            fingerprint=key.fingerprint,
            valid_until=valid_until,
            created_by=actor.id,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            if "registry_signer" not in str(error):
                raise
            raise KeyKnown from None
        log.add(SIGNING_KEY_ADDED, row)
    return row


def revoke_signing_key(key: SigningKey, *, actor: Actor) -> SigningKey:
    """Trust nothing that ``key`` ever signed, from now on: no gate counts it any more."""
    with record(actor) as log:
        row = (
            SigningKey.objects.select_for_update(of=("self",), no_key=True)
            .select_related("project")
            .filter(pk=key.pk)
            .first()
        )
        if row is None:
            raise NotFound
        authorize(actor, "signing_key.manage", row, view="project.view")
        if row.revoked_at is not None:
            raise KeyRevoked
        row.revoked_at, row.revoked_by = database_now(), actor.id
        row.save(update_fields=["revoked_at", "revoked_by"])
        log.add(SIGNING_KEY_REVOKED, row)
    return row


def _read(pem: str) -> tuple[model_signature.ModelSigningKey | None, list[FieldError]]:
    if len(pem) > MAX_PEM:
        return None, [FieldError("/pem", f"A public key has at most {MAX_PEM} characters")]
    try:
        return model_signature.ModelSigningKey.from_pem(pem), []
    except Malformed as fault:
        return None, [FieldError("/pem", fault.sentence[:1].upper() + fault.sentence[1:])]
