"""What was written down of attempts in one sentence reads as it did."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.integrations.models import Webhook, WebhookAttempt, WebhookDelivery
from apps.integrations.standing import delivery_words, fault_detail, fault_words, standing_of
from placet.kernel.clock import now
from tests.support.migrations import executor

pytestmark = pytest.mark.django_db(transaction=True)
# emptying the tables after a test starts every sequence anew, and leaves the rows of this one
GO_ON = "SELECT setval('django_migrations_id_seq', (SELECT max(id) FROM django_migrations))"
BEFORE = [("integrations", "0007_last_error")]
SAID = "The call failed: no connection (refused). The webhook was disabled before it was delivered"


@pytest.fixture
def before() -> Iterator[Any]:
    """The tables as they were, and every one of today afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(GO_ON)
    executor(connection).migrate(BEFORE)
    yield executor(connection).loader.project_state(BEFORE).apps
    migrate()
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE placet_app")


def migrate() -> None:
    steps = executor(connection)
    steps.migrate(steps.loader.graph.leaf_nodes())


def test_a_former_sentence_is_kept_whole(before: Any) -> None:
    at = now()
    hook = before.get_model("integrations", "Webhook").objects.create(
        id="whk_1", name="hook", state="enabled", enabled_by="per_1", last_error="It answers 500"
    )
    delivery = before.get_model("integrations", "WebhookDelivery")
    times = {"created_at": at, "asked_at": at, "next_at": at}
    for number, error in enumerate(("", SAID)):
        row = delivery.objects.create(
            id=f"whd_{number}", webhook=hook, index=number, kind="x.v1", error=error, **times
        )
        before.get_model("integrations", "WebhookAttempt").objects.create(
            delivery=row, number=1, at=at, seconds=0.1, error=error
        )
    migrate()
    now_hook = Webhook.objects.get()
    assert (fault_words(now_hook), standing_of(now_hook)) == (
        "It answers 500",
        "last_attempt_failed",
    )
    good, bad = WebhookDelivery.objects.order_by("pk")
    assert [delivery_words(good), delivery_words(bad), fault_detail(bad)] == ["", SAID, ""]
    assert [fault_words(row) for row in WebhookAttempt.objects.order_by("pk")] == ["", SAID]
