"""What the pages of webhooks say of one, of a delivery and of its attempts."""

from datetime import timedelta
from typing import Any

import pytest

from apps.console.queries.webhooks import AttemptRow, DeliveryLine, WebhookPage, WebhookRow
from apps.console.templatetags.placet import due, state_word
from apps.identity.rules.roles import grants_of
from apps.integrations.api.webhook_deliveries import delivery_body
from apps.integrations.models import Webhook, WebhookAttempt, WebhookDelivery, WebhookFault
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.outbound import OutboundFault


def test_an_attempt_without_an_answer_does_not_say_that_one_was_empty() -> None:
    refused = AttemptRow(WebhookAttempt(status=0, fault="no_connection"))
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


REFUSED = "Connection refused (111). Really"
DROPPED = "The webhook was disabled before it was delivered"
FORMER = f"The call failed: no connection ({REFUSED}). {DROPPED}"


@pytest.mark.parametrize(
    ("fault", "detail", "said", "more"),
    [
        ("", "", "", ""),
        ("no_connection", REFUSED, "No connection", REFUSED),
        ("answered", "", "It answers 500", ""),
        (
            "unreadable",
            "Restore the key",
            "Its address or secret cannot be read",
            "Restore the key",
        ),
        ("former", FORMER, FORMER, ""),
    ],
)
def test_an_error_is_a_short_sentence_and_the_rest_is_folded_away(
    fault: str, detail: str, said: str, more: str
) -> None:
    came: dict[str, Any] = {"fault": fault, "detail": detail, "status": 500}
    tried = AttemptRow(WebhookAttempt(**came))
    assert (tried.error, tried.detail) == (said, more)
    assert DeliveryLine(WebhookDelivery(**came)).error == said
    assert WebhookRow(Webhook(**came), 0).last_error == said
    both = f"{said}. {DROPPED}" if said else DROPPED
    assert DeliveryLine(WebhookDelivery(**came, dropped="disabled")).error == both


def test_whatever_a_call_may_fail_by_has_words() -> None:
    assert set(OutboundFault) <= set(WebhookFault.values)


@pytest.mark.parametrize(
    ("state", "tries", "said"),
    [
        ("waiting", 0, "Waiting"),
        ("waiting", 1, "Retrying"),
        ("sending", 1, "Sending"),
        ("delivered", 1, "Delivered"),
        ("failed", 1, "Failed"),
    ],
)
def test_the_state_of_a_delivery_is_one_word_everywhere(state: str, tries: int, said: str) -> None:
    row = WebhookDelivery(state=state, tries=tries)
    assert DeliveryLine(row).sign.text == said
    row.webhook_id, row.created_at = "whk_1", now()
    row.next_at = row.created_at
    assert delivery_body(row)["state"] == said.lower()


def test_what_is_disabled_is_not_failing() -> None:
    hook = Webhook(enabled_by="per_a", state="disabled", failing_since=now())
    assert WebhookRow(hook, 0).failing_since is None


@pytest.mark.parametrize(
    ("hook", "word"),
    [
        ({}, "Not enabled"),
        ({"enabled_by": "per_a", "state": "enabled"}, "Enabled"),
        ({"enabled_by": "per_a", "state": "enabled", "fault": "late"}, "Last attempt failed"),
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
