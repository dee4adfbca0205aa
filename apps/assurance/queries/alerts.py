"""The alerts that recalls raised."""

from django.db.models import Exists, OuterRef, QuerySet

from apps.assurance.models import EffectAction, Recall, RecallEffect
from apps.monitoring.models import Alert, AlertKind


def alerts_of(recall: Recall) -> QuerySet[Alert]:
    """Return the alerts that ``recall`` raised, of the endpoints that it stopped: of the recalls
    that had stopped an endpoint by when its alert opened, the newest raised it."""
    stopped = RecallEffect.objects.filter(action=EffectAction.STOPPED)
    later = stopped.filter(
        endpoint=OuterRef("endpoint"),
        recall__created_at__gt=recall.created_at,
        recall__created_at__lte=OuterRef("opened_at"),
    )
    return Alert.objects.filter(
        ~Exists(later),
        kind=AlertKind.RECALL_STOPPED,
        endpoint__in=stopped.filter(recall=recall).values("endpoint"),
        opened_at__gte=recall.created_at,
    )
