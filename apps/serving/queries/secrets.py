"""Which secrets there are, who uses them, and which of a release are missing. No value is read."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Prefetch, QuerySet

from apps.identity.queries import visible
from apps.serving.models import Node, Revision, SealedSecret, Secret, SecretVersion
from apps.serving.rules import PRESENT, EndpointState
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound
from placet_protocol.secret_box import SealingKey
from placet_verify.permit.named_secrets import NamedSecret, secrets_of


def visible_secrets(actor: Actor) -> QuerySet[Secret]:
    """Return the secrets whose names ``actor`` may see, each with its versions, the newest first
    (``set_versions``)."""
    versions = SecretVersion.objects.order_by("-number").defer("sealed")
    rows = Secret.objects.select_related("project").prefetch_related(
        Prefetch("versions", versions, to_attr="set_versions")
    )
    return visible(rows, actor, view="endpoint.view")


def get_secret(secret_id: str, actor: Actor) -> Secret:
    """Return one secret, or raise :class:`NotFound`."""
    secret = visible_secrets(actor).filter(pk=secret_id).first()
    if secret is None:
        raise NotFound
    return secret


def uses_of_secrets(project_id: str, environment: str) -> dict[str, list[Revision]]:
    """Return what is on a target and names secrets of an environment, by their names: revisions
    with their endpoints, those that get requests first."""
    rows = Revision.objects.filter(
        project=project_id,
        endpoint__environment=environment,
        state__in=PRESENT,
        serving__has_key="secrets",
    )
    found: dict[str, list[Revision]] = {}
    for row in rows.select_related("endpoint").order_by("-weight", "-number"):
        for name in sorted(set(secrets_of(row.serving).values())):
            found.setdefault(name, []).append(row)
    return found


def uses_of_secret(secret: Secret, *, active: bool = False) -> list[Revision]:
    """Return what is on a target and names a secret; with ``active`` what is not stopped alone."""
    rows = uses_of_secrets(secret.project_id, secret.environment).get(secret.name, [])
    return [r for r in rows if not active or r.endpoint.state == EndpointState.ACTIVE]


def secret_faults(
    project_id: str, slug: str, environment: str, serving: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Return which secrets of a configuration this environment has no value of, each with its file.

    One of another project is not there, whoever asks: nobody learns which names others have.
    """
    named = {file: NamedSecret.read(text) for file, text in _named(serving).items()}
    have = SecretVersion.objects.filter(
        secret__project=project_id, secret__environment=environment, revoked_at=None
    )
    names = set(have.exclude(sealed="").values_list("secret__name", flat=True)) if named else set()
    return [
        (file, f"{environment} of {slug} has no secret {written(one)} with a value: set it first")
        for file, one in sorted(named.items())
        if one.project not in ("", slug) or one.name not in names
    ]


def written(one: NamedSecret) -> str:
    """Return how a release names a secret."""
    return f"{one.project}/{one.name}" if one.project else one.name


def _named(serving: Mapping[str, Any]) -> Mapping[str, str]:
    return serving.get("secrets") or {}


def sealed_for(node: Node, revision_id: str, name: str, value: str) -> str:
    """Return the value of a secret as it is sealed for ``node``; '' unless this revision is on its
    target and names it, and while no copy is there."""
    rows = Revision.objects.filter(
        pk=revision_id, endpoint__target=node.target_id, state__in=PRESENT
    )
    revision = rows.select_related("endpoint").first()
    if revision is None or name not in secrets_of(revision.serving).values():
        return ""
    copies = SealedSecret.objects.filter(
        node=node,
        version=value,
        version__secret__project=revision.project_id,
        version__secret__environment=revision.endpoint.environment,
        version__secret__name=name,
    )
    copy = copies.first()
    return copy.sealed if copy else ""


def versions_behind_key(key: SealingKey) -> list[str]:
    """Return the values that are encrypted for another key than that in use."""
    rows = SecretVersion.objects.exclude(sealed="").exclude(sealed__startswith=key.mark)
    return list(rows.order_by("pk").values_list("pk", flat=True))
