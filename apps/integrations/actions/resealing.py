"""Encrypting what a webhook keeps for the secret key in use, so that those before it can go."""

from apps.audit.actions import record
from apps.integrations.models import Webhook
from apps.integrations.webhook_secrets import resealed
from apps.jobs.handlers import LeasedJob
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_protocol.secret_box import OpeningKeys, SecretUnreadable


def reseal(webhook_id: str, keys: OpeningKeys, *, job: LeasedJob) -> bool:
    """Encrypt anew what a webhook keeps, and forget what signs no more; ``False`` where it is gone
    or does not open. Nothing of it is another for whoever sends or sees it."""
    with record(SYSTEM):
        job.fence()
        row = Webhook.objects.select_for_update(no_key=True).filter(pk=webhook_id).first()
        if row is None:
            return False
        try:
            columns = resealed(row, keys, now())
        except SecretUnreadable:
            return False
        return bool(Webhook.objects.filter(pk=row.pk).update(**columns))
