"""A release that people discuss."""

import pytest

from apps.discussions.hooks import Subject
from apps.discussions.queries import get_subject
from apps.governance.models import Release
from placet.kernel.actor import SYSTEM
from tests.support.world import World


@pytest.fixture
def release(world: World) -> Release:
    """A release to staging that waits, of a version with metrics."""
    metrics = {"auc": 0.9, "recall": 0.8, "secret_metric": 0.7}
    return world.request("staging", world.bento(world.version(), metrics=metrics))


@pytest.fixture
def subject(release: Release) -> Subject:
    """The same, as it is discussed."""
    return get_subject("release", release.pk, SYSTEM)
