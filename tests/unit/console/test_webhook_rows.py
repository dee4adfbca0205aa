"""What the pages of webhooks say of one, of a delivery and of its attempts."""

from datetime import timedelta
from typing import Any

import pytest

from apps.console.queries.webhooks import AttemptRow, DeliveryLine, WebhookPage, WebhookRow
from apps.console.templatetags.placet import due, state_word
from apps.identity.rules.roles import grants_of
from apps.integrations.models import Webhook, WebhookAttempt, WebhookDelivery
from placet.kernel.actor import Actor
from placet.kernel.clock import now


def test_an_attempt_without_an_answer_does_not_say_that_one_was_empty() -> None:
    refused = AttemptRow(WebhookAttempt(status=0, error="Connection refused"))
    assert refused.said == "No answer came, and the receiver may not have been reached."
    assert refused.details == "Request headers"
    silent = AttemptRow(WebhookAttempt(status=204))
    assert silent.said == "The answer was empty."
    assert silent.details == "Request headers and answer"


@pytest.mark.parametrize(
    ("seconds", "said"), [(300, "in 5 min"), (3, "in 3 s"), (0.4, "in 1 s"), (-300, "due now")]
)
def test_it_is_said_when_the_next_attempt_comes(seconds: float, said: str) -> None:
    line = DeliveryLine(WebhookDelivery(state="waiting", tries=1))
    assert (line.waits, line.sign.text) == (True, "Retrying")
    assert f">{said}</time>" in due(now() + timedelta(seconds=seconds))


REFUSED = "The call failed: no connection (Connection refused (111). Really)"
DROPPED = "The webhook was disabled before it was delivered"


@pytest.mark.parametrize(
    ("error", "attempt", "delivery"),
    [
        ("", "", ""),
        (REFUSED, "No connection", "No answer: no connection"),
        (
            f"{REFUSED}. {DROPPED}",
            f"No connection. {DROPPED}",
            f"No answer: no connection. {DROPPED}",
        ),
        (DROPPED, DROPPED, DROPPED),
        ("It answers 500", "It answers 500", "It answers 500"),
        ("Its secret cannot be read. Restore the key", *["Its secret cannot be read"] * 2),
    ],
)
def test_an_error_is_a_short_sentence_and_the_rest_is_folded_away(
    error: str, attempt: str, delivery: str
) -> None:
    tried = AttemptRow(WebhookAttempt(error=error))
    assert tried.error == attempt
    assert tried.detail == ("" if attempt == error else error)
    assert DeliveryLine(WebhookDelivery(error=error)).error == delivery


@pytest.mark.parametrize(
    ("hook", "word"),
    [
        ({}, "Not enabled"),
        ({"enabled_by": "per_a", "state": "enabled"}, "Active"),
        ({"enabled_by": "per_a", "state": "enabled", "last_error": "x"}, "Last attempt failed"),
        ({"enabled_by": "per_a", "state": "enabled", "failing_since": now()}, "Retrying"),
        ({"enabled_by": "per_a", "reason": "asked"}, "Disabled"),
    ],
)
def test_the_state_of_a_webhook_is_a_word_that_says_what_is_wrong(
    hook: dict[str, Any], word: str
) -> None:
    assert state_word(WebhookRow(Webhook(**hook), 0).state) == word


MAY = "enable it, as anybody can with permission to export the whole log"
OTHERS = "someone with permission to export the whole log (role auditor) has to enable it"


@pytest.mark.parametrize(
    ("hook", "role", "said"),
    [
        ({}, "admin", f"Not enabled yet, and told of nothing: {OTHERS}."),
        ({}, "auditor", f"Not enabled yet, and told of nothing: {MAY}."),
        (
            {"reason": "asked", "disabled_by": "per_m"},
            "admin",
            f"Disabled by Mo. To go on, {OTHERS}.",
        ),
        (
            {"reason": "failing", "disabled_by": "system"},
            "auditor",
            f"Disabled by Placet: nothing was delivered for days. To go on, {MAY}.",
        ),
        ({"reason": "asked"}, "auditor", f"Disabled: somebody disabled it. To go on, {MAY}."),
    ],
)
def test_its_page_says_who_disabled_it_and_who_enables_it(
    hook: dict[str, Any], role: str, said: str
) -> None:
    enabled = {"enabled_by": "per_a"} if hook else {}
    names = {"per_m": "Mo", "system": "Placet"}
    reader = Actor("person", "per_r", grants=grants_of([(role, None, "")]))
    shown = WebhookPage(WebhookRow(Webhook(**hook, **enabled), 0), reader, [], "", names)
    assert [banner.text for banner in shown.banners] == [said]
