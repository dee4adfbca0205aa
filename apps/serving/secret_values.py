"""Values of secrets: encrypted by whoever sets one, opened by the control worker alone, which seals
each for the nodes whose revisions name it."""

import logging
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Q

from apps.serving.models import Node, Revision, SealedSecret, Secret, SecretVersion
from apps.serving.rules import PRESENT
from placet.kernel.keystore import KeyUnavailable, opening_keys, sealing_key
from placet.kernel.problems import SecretKeyMissing
from placet_protocol.node_secrets import SecretEntry, SecretPlace
from placet_protocol.secret_box import OpeningKeys, SealingKey, SecretUnreadable
from placet_verify.permit.named_secrets import secrets_of

log = logging.getLogger(__name__)

Names = tuple[str, str, str]  # project, environment, name
Values = Mapping[Names, SecretVersion]


def sealed_value(secret: Secret, value_id: str, text: str) -> str:
    """Return a value encrypted for its row, or raise :class:`SecretKeyMissing`."""
    try:
        return sealing_key().seal(text, place=place_of(secret, value_id).at_rest)
    except KeyUnavailable as refusal:
        raise SecretKeyMissing(refusal.sentence) from refusal


def place_of(secret: Secret, value_id: str) -> SecretPlace:
    """Return whose secret it is, which the value is bound to."""
    return SecretPlace(secret.project_id, secret.environment, secret.name, value_id)


def named_by(revisions: Iterable[Revision]) -> set[Names]:
    """Return the secrets that revisions name, which come with their endpoints."""
    return {
        (row.project_id, row.endpoint.environment, name)
        for row in revisions
        for name in secrets_of(row.serving).values()
    }


def current(names: Iterable[Names]) -> dict[Names, SecretVersion]:
    """Return the values that these secrets have, each with its secret."""
    wanted = Q(pk=None)
    for project, environment, name in sorted(names):
        wanted |= Q(secret__project=project, secret__environment=environment, secret__name=name)
    rows = SecretVersion.objects.filter(wanted, revoked_at=None).exclude(sealed="")
    versions = rows.select_related("secret").order_by("number")
    return {(v.project_id, v.secret.environment, v.secret.name): v for v in versions}


def entries(revision: Revision, environment: str, values: Values) -> dict[str, SecretEntry]:
    """Return what a state says of the secrets of a revision: those that have a value."""
    named = {
        name: values.get((revision.project_id, environment, name))
        for name in secrets_of(revision.serving).values()
    }
    return {
        name: SecretEntry(value=version.pk, version=version.number)
        for name, version in sorted(named.items())
        if version is not None
    }


def seal_for(target_id: str) -> list[str]:
    """Seal what the revisions of a target name for its nodes, where that is not done yet.

    Returns, in sentences, which values cannot be opened. Needs the ``secret`` key where there is
    something to seal. Repeating it is harmless, and of two at once the later one counts.
    """
    rows = Revision.objects.filter(
        endpoint__target=target_id, state__in=PRESENT, serving__has_key="secrets"
    )
    names = named_by(rows.select_related("endpoint"))
    if not names:
        return []
    versions = list(current(names).values())
    missing = [
        (node, version)
        for node in Node.objects.filter(target=target_id)
        if node.platform.get("secret_key")
        for version in _unsealed(node, versions)
    ]
    if not missing:
        return []
    try:
        keys = opening_keys()
    except KeyUnavailable as refusal:
        return [refusal.sentence]
    return [said for node, version in missing if (said := _seal(node, version, keys))]


def _unsealed(node: Node, versions: list[SecretVersion]) -> list[SecretVersion]:
    """Return the values that are not sealed for the key that a node has now."""
    copies = SealedSecret.objects.filter(node=node, public_key=node.platform["secret_key"])
    have = set(copies.exclude(sealed="").values_list("version", flat=True))
    return [version for version in versions if version.pk not in have]


def _seal(node: Node, version: SecretVersion, keys: OpeningKeys) -> str:
    secret, public = version.secret, node.platform["secret_key"]
    place = place_of(secret, version.pk)
    try:
        value = keys.open(version.sealed, place=place.at_rest)
    except SecretUnreadable as error:
        said = f"secret {secret.name} of {secret.environment}, version {version.number}: {error}"
        log.error("target %s: %s", node.target_id, said)
        return said
    sealed = SealingKey.read(public).seal(value, place=place.on(node.pk))
    copy = {"public_key": public, "sealed": sealed}
    with transaction.atomic():
        # whoever forgets a value holds its secret: what was forgotten meanwhile stays forgotten
        Secret.objects.select_for_update(of=("self",), no_key=True).get(pk=secret.pk)
        if SecretVersion.objects.filter(pk=version.pk).exclude(sealed="").exists():
            SealedSecret.objects.update_or_create(node=node, version=version, defaults=copy)
    return ""
