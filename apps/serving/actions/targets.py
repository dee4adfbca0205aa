"""Targets, and the tokens that nodes join them with."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from apps.audit.actions import record
from apps.identity.models import User
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.serving import desired
from apps.serving.addresses import address_fault
from apps.serving.drivers.kinds import DRIVERS
from apps.serving.errors import TargetExists
from apps.serving.events import (
    JOIN_TOKEN_ISSUED,
    TARGET_CHANGED,
    TARGET_CREATED,
    TARGET_OWNER_CHANGED,
)
from apps.serving.models import DesiredState, JoinToken, Site, Target
from placet.kernel.actor import Actor
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from placet.kernel.keystore import ring
from placet.kernel.problems import FieldError, InvalidInput, QuotaReached, Stale

BY_OUR_PAGES = (
    "Give an address at another host than Placet's own, and at none below it: passkeys and cookies "
    "of people would be within the reach of models"
)
JOIN_TOKEN_MINUTES = 60
LOCK = 0x74617267  # any number that no other advisory lock has: targets are added one by one
MAX_LABELS = 32
NAME_SAYS = "Use up to 60 small letters, digits and hyphens, no hyphen first or last: plant-7"
SITE_SAYS = "Choose on-premise, cloud or edge"
TARGET_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


def create_target(
    *,
    name: str,
    actor: Actor,
    driver: str = "node",
    site: str = Site.ON_PREMISE,
    labels: dict[str, str] | None = None,
    capacity_mb: int = 4096,
    url: str = "",
    owner: str = "",
) -> Target:
    """Add a target, with an empty desired state. Needs ``target.manage`` everywhere.

    ``owner`` (a person's id or e-mail address) answers for it: whoever adds it unless another one
    is named. No project may use it before :func:`~apps.serving.actions.allow_use`.
    """
    check_fields(
        name=name, driver=driver, labels=labels or {}, capacity_mb=capacity_mb, url=url, site=site
    )
    with record(actor) as log:
        authorize(actor, "target.manage", None)
        _refuse_many()
        try:
            with transaction.atomic():
                target = Target.objects.create(
                    name=name,
                    driver=driver,
                    site=site,
                    labels=labels or {},
                    capacity_mb=capacity_mb,
                    url=url.rstrip("/"),
                    owner=_owner(owner) if owner else _accountable(actor),
                )
        except IntegrityError:
            raise TargetExists from None
        DesiredState.objects.create(target=target)
        log.add(TARGET_CREATED, target)
        desired.publish(target.pk)
    return target


def update_target(
    target: Target, *, actor: Actor, revision: int | None = None, **changes: Any
) -> Target:
    """Change ``site``, ``labels``, ``capacity_mb``, ``url``, ``on_expired`` or ``owner``, who is
    named by id or e-mail address.

    ``revision`` is the one that the caller read; another one is 412.
    """
    allowed = {"site", "labels", "capacity_mb", "url", "on_expired", "owner"}
    if unknown := set(changes) - allowed:
        raise InvalidInput(errors=[FieldError(f"/{n}", "Cannot be changed") for n in unknown])
    check_fields(**changes)
    with record(actor) as log:
        authorize(actor, "target.manage", None)
        expected = target.revision if revision is None else revision
        row = Target.objects.select_for_update(no_key=True).get(pk=target.pk)
        if row.revision != expected:
            raise Stale
        if "owner" in changes:
            changes["owner"] = _owner(changes["owner"])
        if "url" in changes:
            changes["url"] = changes["url"].rstrip("/")
            if changes["url"] != row.url:
                demand_fresh(actor)  # people's requests and keys go there
        for field, value in changes.items():
            setattr(row, field, value)
        row.revision += 1
        row.save()
        log.add(TARGET_OWNER_CHANGED if set(changes) == {"owner"} else TARGET_CHANGED, row)
        desired.publish(row.pk)
    return row


def _refuse_many() -> None:
    """Count, one by one until the commit: of two at once the second sees the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if (count := Target.objects.count()) >= (quota := config().max_targets):
        raise QuotaReached(
            f"There are {count:,} targets",
            quota,
            remedy="use one of them",
            setting="PLACET_MAX_TARGETS",
        )


def _owner(named: str) -> str:
    """Return the id of the person who is to answer for a target."""
    text = named.strip()
    people = User.objects.with_email(text) if "@" in text else User.objects.filter(pk=text)
    person = people.filter(is_active=True).first()
    if person is None:
        detail = "Nobody who is active has this id or e-mail address"
        raise InvalidInput(errors=[FieldError("/owner", detail)])
    return str(person.pk)


def _accountable(actor: Actor) -> str:
    return actor.accountable if actor.accountable.startswith("per_") else ""


def _url_fault(url: str) -> str:
    if fault := address_fault(url):
        return fault
    return BY_OUR_PAGES if config().is_by_our_pages(url) else ""


def check_fields(**fields: Any) -> None:
    """Refuse values that no target may have, naming the field."""
    errors = []
    if "name" in fields and not TARGET_NAME.fullmatch(fields["name"]):
        errors.append(FieldError("/name", NAME_SAYS))
    if "driver" in fields and fields["driver"] not in DRIVERS:
        errors.append(FieldError("/driver", f"Choose one of {', '.join(sorted(DRIVERS))}"))
    if "capacity_mb" in fields and not 64 <= fields["capacity_mb"] <= 1 << 24:
        errors.append(FieldError("/capacity_mb", "Give the memory for replicas, from 64 MB on"))
    if (url := fields.get("url")) and (fault := _url_fault(url)):
        errors.append(FieldError("/url", fault))
    if "site" in fields and fields["site"] not in Site.values:
        errors.append(FieldError("/site", SITE_SAYS))
    if fields.get("on_expired", "serve") not in ("serve", "stop"):
        errors.append(FieldError("/on_expired", "Choose serve or stop"))
    labels = fields.get("labels", {})
    if (
        not isinstance(labels, dict)
        or len(labels) > MAX_LABELS
        or not all(isinstance(v, str) and len(k) <= 60 and len(v) <= 60 for k, v in labels.items())
    ):
        errors.append(
            FieldError("/labels", f"Give up to {MAX_LABELS} short names with short texts")
        )
    if errors:
        raise InvalidInput(errors=errors)


def issue_join_token(target: Target, *, actor: Actor) -> str:
    """Return a token that lets one node join ``target`` once, within the hour.

    ``<secret>.<fingerprint of the root key>``: the node pins the root by it. Shown once; its hash
    is stored.
    """
    fingerprint = ring().root.fingerprint.removeprefix("sha256:")
    secret = secrets.token_urlsafe(32)
    with record(actor) as log:
        authorize(actor, "target.manage", None)
        demand_fresh(actor)
        expires_at = now() + timedelta(minutes=JOIN_TOKEN_MINUTES)
        JoinToken.objects.create(
            secret_hash=token_hash(secret), target=target, expires_at=expires_at
        )
        log.add(JOIN_TOKEN_ISSUED, target, data={"expires_at": rfc3339(expires_at)})
    return f"{secret}.{fingerprint}"


def token_hash(secret: str) -> str:
    """Return what is stored of a join token's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
