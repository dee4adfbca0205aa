"""What the pages of webhooks say of one delivery and its attempts."""

from datetime import timedelta

import pytest

from apps.console.queries.webhooks import AttemptRow, DeliveryLine
from apps.integrations.models import WebhookAttempt, WebhookDelivery
from placet.kernel.clock import now


def test_an_attempt_without_an_answer_does_not_say_that_one_was_empty() -> None:
    refused = AttemptRow(WebhookAttempt(status=0, error="Connection refused"))
    assert refused.said == "No answer came, and the receiver may not have been reached."
    assert refused.details == "Request headers"
    silent = AttemptRow(WebhookAttempt(status=204))
    assert silent.said == "The answer was empty."
    assert silent.details == "Request headers and answer"


@pytest.mark.parametrize(("minutes", "ahead"), [(5, True), (-5, False)])
def test_the_next_attempt_is_dated_while_it_is_ahead(minutes: int, ahead: bool) -> None:
    due = now() + timedelta(minutes=minutes)
    line = DeliveryLine(WebhookDelivery(state="waiting", tries=1, next_at=due))
    assert (line.waits, line.is_ahead) == (True, ahead)
    assert line.sign.text == "Retrying"
