"""Revisions that their node scales by load."""

from typing import Any

from apps.serving.models import Revision
from tests.support.story import Story

ASKED: dict[str, Any] = {"target_inflight": 4, "min_replicas": 1, "max_replicas": 8}
BOUNDS = ASKED | {"egress": []}


def scaled(story: Story, number: int, *, ready: int | None = None, **bounds: Any) -> Revision:
    """Have revision ``number`` be scaled between ``bounds``; its node says that so many of its
    replicas are ``ready``, else as many as it is told."""
    revision = Revision.objects.select_related("endpoint").get(number=number)
    revision.serving = revision.serving | BOUNDS | bounds
    revision.save(update_fields=["serving"])
    if ready is not None:
        story.node.ready[revision.pk] = ready
    return revision
