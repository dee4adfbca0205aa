"""What nodes are told by a database that is an older copy of itself."""

from django.db.models import F

from apps.serving import desired
from apps.serving.models import DesiredState
from placet.kernel.actor import Actor
from placet.kernel.problems import Forbidden


def raise_epochs(*, actor: Actor) -> int:
    """Have every target's state signed anew under the next epoch, which nodes prefer to whatever
    number they have; return how many targets there are. For the system alone."""
    if actor.kind != "system":
        raise Forbidden("Only a restore raises the epoch")
    rows = DesiredState.objects.order_by("target_id")
    rows.update(epoch=F("epoch") + 1, number=0, content_digest="")
    targets = list(rows.values_list("target_id", flat=True))
    for target in targets:
        desired.publish(target)
    return len(targets)
