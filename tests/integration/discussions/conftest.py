"""A release that people discuss."""

import pytest

from apps.discussions.hooks import Subject
from apps.discussions.queries import get_subject
from apps.governance.models import Release
from placet.kernel.actor import SYSTEM
from tests.support.world import World


@pytest.fixture
def release(world: World) -> Release:
    """A release to staging that waits."""
    return world.request("staging")


@pytest.fixture
def subject(release: Release) -> Subject:
    """The same, as it is discussed."""
    return get_subject("release", release.pk, SYSTEM)
