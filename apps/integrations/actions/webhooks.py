"""Webhooks as people set them up.

Who may add one (``stream.manage``) need not be allowed to read the log. So a webhook is told of
nothing before somebody who may take a copy of it (``audit.export``) enables it, and again after it
was given another address or other kinds of events by somebody who may not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.audit.actions import Recorder, record
from apps.audit.kind_groups import GROUPS
from apps.audit.queries import log_size
from apps.identity.actions.checks import unique
from apps.identity.actions.projects import slug_or_refuse
from apps.identity.models import Project
from apps.identity.queries import authorize, scope_of
from apps.identity.sign_in.freshness import demand_fresh
from apps.integrations.actions.webhook_states import disabled, forgotten, stopped
from apps.integrations.errors import NothingSigned, RotatedOften, WebhookMoved
from apps.integrations.events import (
    WEBHOOK_ADDED,
    WEBHOOK_CHANGED,
    WEBHOOK_ENABLED,
    WEBHOOK_REMOVED,
    WEBHOOK_ROTATED,
)
from apps.integrations.models import Webhook, WebhookReason, WebhookState
from apps.integrations.queries.chats import START
from apps.integrations.rules import WebhookTerms, origin_of, webhook_faults
from apps.integrations.signing import SigningKeys
from apps.integrations.webhook_secrets import formers, sealed_address, sealed_signing
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import FieldError, InvalidInput, NotFound, QuotaReached, Stale
from placet.kernel.states import move

BOTH_SIGN = timedelta(hours=24)  # after a rotation
MOST_FORMERS = 3  # each adds two signatures to every request


@dataclass(frozen=True, slots=True, repr=False)
class GivenWebhook:
    """A webhook with its secret, which is shown this once; '': that of a chat has none."""

    webhook: Webhook
    secret: str


def add_webhook(
    *, name: str, terms: WebhookTerms, project: Project | None = None, actor: Actor
) -> GivenWebhook:
    """Add a webhook of the instance, or of ``project``, that is told of events from now on: a
    program, or a channel of a chat.

    Needs ``stream.manage``. It is enabled at once when ``actor`` also holds ``audit.export`` there.
    """
    with record(actor) as log:
        authorize(actor, "stream.manage", project)
        demand_fresh(actor)
        check(terms)
        if project is not None:
            _refuse_many(project)
        row = Webhook(
            name=slug_or_refuse("name", name),
            service=terms.service,
            origin=origin_of(terms.url),
            groups=sorted(set(terms.groups)),
            project=project,
            created_by=actor.id,
            cursor=log_size(),
        )
        row.address = sealed_address(row.pk, terms.url)
        secret = "" if row.is_chat else _sign(row)
        if actor.can(START, scope_of(project)):
            row.state, row.enabled_by = WebhookState.ENABLED, actor.id
        with unique("name"):
            row.save(force_insert=True)
        log.add(WEBHOOK_ADDED, row)
        if row.state == WebhookState.ENABLED:
            log.add(WEBHOOK_ENABLED, row, data={"cursor": row.cursor})
    return GivenWebhook(row, secret)


def _sign(row: Webhook) -> str:
    """Have ``row``, which is not saved yet, sign with fresh keys; return the secret."""
    keys = SigningKeys.generate()
    row.signing, row.public_key = sealed_signing(row.pk, keys), keys.shown_public
    return keys.shown_secret


def check(terms: WebhookTerms) -> None:
    """Raise :class:`InvalidInput`, which names what is wrong with ``terms``."""
    if found := webhook_faults(terms, GROUPS):
        raise InvalidInput(errors=[FieldError(f"/{f.field}", f.detail) for f in found])


def _refuse_many(project: Project) -> None:
    """Count, one by one until the commit: of two at once the second sees the first."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    count, quota = Webhook.objects.filter(project=project).count(), config().max_webhooks
    if count >= quota:
        raise QuotaReached(
            f"{project.slug} has {count:,} webhooks",
            quota,
            remedy="remove one",
            setting="PLACET_MAX_WEBHOOKS",
        )


def change_webhook(
    webhook: Webhook,
    *,
    url: str | None = None,
    groups: tuple[str, ...] | None = None,
    if_generation: int,
    actor: Actor,
) -> Webhook:
    """Give a webhook another address or other kinds of events; ``None`` leaves what there is.

    Needs ``stream.manage``. Where ``actor`` does not hold ``audit.export`` it is disabled until
    somebody who does has enabled it again, and its deliveries are forgotten: none of them is sent
    again to an address, or of a kind, that was not there when it was approved.
    """
    with record(actor) as log:
        row = locked(webhook, "stream.manage", actor)
        demand_fresh(actor)
        if row.generation != if_generation:
            raise Stale
        kept = tuple(row.groups) if groups is None else groups
        kept_address = WebhookTerms("https://kept.example/", kept)
        check(kept_address if url is None else WebhookTerms(url, kept, row.service))
        if url is not None:
            row.origin, row.address = origin_of(url), sealed_address(row.pk, url)
            row.fault, row.status, row.detail = "", 0, ""  # of where it went before
        row.groups = sorted(set(kept))
        row.generation += 1
        may_enable = actor.can(START, scope_of(row))
        if may_enable and row.state == WebhookState.ENABLED:
            row.enabled_by = actor.id  # what it is now nobody else has enabled
        changed = ["origin", "address", "groups", "generation", "enabled_by"]
        row.save(update_fields=[*changed, "fault", "status", "detail"])
        log.add(WEBHOOK_CHANGED, row, data={"address": "kept" if url is None else "changed"})
        if not may_enable:
            disabled(row, WebhookReason.CHANGED, log)
            forgotten(row)
    return row


def enable_webhook(webhook: Webhook, *, if_generation: int, actor: Actor) -> Webhook:
    """Have a webhook told of what happens from now on. Needs ``audit.export`` where it belongs.

    What happened while it was disabled is not made up for. ``if_generation`` is of what ``actor``
    saw: nobody enables another address than that.
    """
    with record(actor) as log:
        row = locked(webhook, START, actor)
        demand_fresh(actor)
        if row.generation != if_generation:
            raise Stale
        over = {"disabled_by": "", "disabled_at": None, "reason": "", "failing_since": None}
        _enable(row, log, cursor=log_size(), enabled_by=actor.id, **over)
    return row


def _enable(row: Webhook, log: Recorder, **changes: object) -> None:
    if not move(row, expected=WebhookState.DISABLED, to=WebhookState.ENABLED, **changes):
        raise WebhookMoved("The webhook is enabled already")
    log.add(WEBHOOK_ENABLED, row, data={"cursor": row.cursor})


def disable_webhook(webhook: Webhook, *, actor: Actor) -> Webhook:
    """Tell a webhook of nothing more, nor of what still waits. Needs ``stream.manage``."""
    with record(actor) as log:
        row = locked(webhook, "stream.manage", actor)
        if not disabled(row, WebhookReason.ASKED, log):
            raise WebhookMoved("The webhook is disabled already")
    return row


def rotate_webhook(webhook: Webhook, *, actor: Actor) -> GivenWebhook:
    """Give a webhook another secret and key. The former ones sign beside them for a day, each for
    its own: one is refused that would end another's before its time.

    Needs ``stream.manage``.
    """
    with record(actor) as log:
        row = locked(webhook, "stream.manage", actor)
        demand_fresh(actor)
        if row.is_chat:
            raise NothingSigned("Make another address in the chat, and give it to the webhook")
        at = now()
        row.older_formers = formers(row, at)
        if len(row.older_formers) >= MOST_FORMERS:
            until = datetime.fromisoformat(row.older_formers[-1]["until"])
            raise RotatedOften(
                f"{MOST_FORMERS} former secrets still sign beside it: rotate it again after"
                f" {until:%Y-%m-%d %H:%M} UTC"
            )
        row.former_signing, row.former_public_key = row.signing, row.public_key
        row.former_until = at + BOTH_SIGN
        secret = _sign(row)
        row.generation += 1
        row.save()
        log.add(WEBHOOK_ROTATED, row)
    return GivenWebhook(row, secret)


def remove_webhook(webhook: Webhook, *, if_generation: int, actor: Actor) -> None:
    """Tell a webhook of nothing more, for good. Needs ``stream.manage``."""
    with record(actor) as log:
        row = locked(webhook, "stream.manage", actor, removed=True)
        if row.generation != if_generation:
            raise Stale
        stopped(row)
        log.add(WEBHOOK_REMOVED, deleted=(row,))
        row.delete()


def locked(webhook: Webhook, permission: str, actor: Actor, *, removed: bool = False) -> Webhook:
    """Return the row as it is now, locked, if ``actor`` holds ``permission`` where it belongs."""
    rows = Webhook.objects.select_for_update(of=("self",), no_key=not removed)
    row = rows.select_related("project").filter(pk=webhook.pk).first()
    if row is None:
        raise NotFound
    authorize(actor, permission, row, view="stream.view")
    return row
