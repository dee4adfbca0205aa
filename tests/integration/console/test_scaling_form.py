"""The form that asks for a release whose replicas a node scales by load."""

import pytest

from apps.console.queries.request_again import request_again_url
from apps.governance.models import Release
from tests.integration.console.test_release_form import asked, beside, form, tight
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_how_a_node_scales_is_read_said_and_filled_in_again(world: World) -> None:
    fields = form(world)
    fault = asked(world, fields | {"min_replicas": "1"})
    needs = "needs “Requests in flight per replica”: without it nothing is scaled"
    assert needs in beside(fault, "min_replicas")
    fault = asked(world, fields | {"min_replicas": "2", "target_inflight": "4"})
    assert "must be a whole number from 0 to 1" in beside(fault, "min_replicas")
    assert 'name="target_inflight" type="number" min="1" max="1000" value="4"' in fault
    sizes = {"replicas": "2", "max_replicas": "3", "min_replicas": "1", "target_inflight": "4"}
    asked(world, fields | sizes)
    release = Release.objects.get()
    assert release.serving["target_inflight"] == 4
    assert release.serving["min_replicas"] == 1
    page = tight(browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content)
    assert "scaled by load: 1 to 3 replicas, for 4 requests in flight each" in page
    assert "2 replicas of 1,024 MB, scaled by load: 1 to 3." in page
    again = tight(browser(world.people["Ada"]).get(request_again_url(release)).content)
    assert 'name="min_replicas" type="number" min="0" max="64" value="1"' in again
    assert 'name="target_inflight" type="number" min="1" max="1000" value="4"' in again
