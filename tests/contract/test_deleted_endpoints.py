"""What the API answers of an endpoint that was deleted is what its document says."""

import pytest
from django.db import connection

from apps.serving import actions
from apps.serving.models import Endpoint
from tests.contract.test_schemathesis import EVERY_CHECK, document
from tests.support.factories import token_for
from tests.support.story import Story

pytestmark = pytest.mark.django_db


def deleted(story: Story) -> Endpoint:
    """Return an endpoint that was deleted, with the release that was live behind it."""
    endpoint = actions.stop_endpoint(story.lived().endpoint, actor=story.otto)
    actions.delete_endpoint(endpoint, if_generation=endpoint.generation, actor=story.otto)
    endpoint.refresh_from_db()
    return endpoint


def test_a_deleted_endpoint_is_read_as_the_document_says(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    sent = {"headers": {"Authorization": f"Bearer {token_for(story.people['Otto'])}"}}
    read = document()["/api/v1/endpoints/{endpoint}"]["GET"]
    case = read.Case(path_parameters={"endpoint": deleted(story).pk})
    answer = case.call(**sent)
    assert (answer.status_code, answer.json()["state"]) == (200, "deleted")
    case.validate_response(
        answer, checks=EVERY_CHECK, headers=sent["headers"], transport_kwargs=sent
    )
