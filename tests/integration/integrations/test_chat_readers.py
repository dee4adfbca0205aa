"""Channels of chats are told what their enabler may read, for as long as they may."""

import json

import pytest

from apps.audit.models import Event
from apps.identity.actions import (
    deactivate_person,
    demand_second_factor,
    revoke_role,
    waive_second_factor,
)
from apps.identity.models import RoleBinding, User
from apps.integrations import actions, telling
from apps.integrations.models import Webhook
from apps.monitoring.models import Alert
from placet.kernel.actor import SYSTEM
from tests.integration.integrations.conftest import Hooks
from tests.integration.integrations.test_chats import channel, chat, texts
from tests.support import factories
from tests.support.receivers import Receiver
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
__all__ = ["chat"]


def enabled_by(person: User, hook: Webhook) -> Webhook:
    """Have ``person`` enable a webhook that somebody else did."""
    hook.refresh_from_db()
    if hook.state == "enabled":
        actions.disable_webhook(hook, actor=SYSTEM)
        hook.refresh_from_db()
    who = factories.actor_of(person)
    return actions.enable_webhook(hook, if_generation=hook.generation, actor=who)


@pytest.mark.parametrize("way", ["role", "deactivated", "second factor"])
def test_a_channel_whose_enabler_may_read_nothing_any_more_is_told_nothing(
    hooks: Hooks, chat: Receiver, way: str
) -> None:
    otto = factories.person("Otto", roles={"auditor": hooks.feed.project})
    hook = enabled_by(otto, channel(hooks, "mattermost"))
    hooks.feed.log(1)
    hooks.go()
    told = len(chat.bodies)
    assert told, "as long as they may"
    if way == "role":
        revoke_role(RoleBinding.objects.get(person=otto), actor=SYSTEM)
    elif way == "deactivated":
        deactivate_person(otto, actor=SYSTEM)
    else:
        demand_second_factor("auditor", actor=SYSTEM)
    hooks.feed.log(2)
    hooks.go()
    hook.refresh_from_db()
    assert (hook.state, hook.reason) == ("disabled", "revoked")
    assert len(chat.bodies) == told
    assert hook.deliveries.filter(state="failed").count() >= 2
    assert not hook.deliveries.filter(state__in=["waiting", "sending"]).exists()
    event = Event.objects.filter(subject=hook.pk).order_by("-index")[0]
    assert (event.kind, json.loads(event.body)["data"]["reason"]) == (
        "webhook.disabled.v1",
        "revoked",
    )
    telling.watch()
    assert Alert.objects.get(kind="webhook_disabled").about == hook.pk
    if way == "second factor":
        waive_second_factor("auditor", actor=SYSTEM)
    uma = factories.person("Uma", roles={"auditor": hooks.feed.project})
    enabled_by(uma, hook)
    hooks.feed.log(1)
    hooks.go()
    assert len(chat.bodies) == told + 1, "what happened from then on"
    assert_log_rebuilds_every_row()


def test_a_test_of_a_channel_arrives_whoever_enabled_it(hooks: Hooks, chat: Receiver) -> None:
    otto = factories.person("Otto", roles={"auditor": hooks.feed.project})
    hook = enabled_by(otto, channel(hooks, "mattermost"))
    deactivate_person(otto, actor=SYSTEM)
    hooks.feed.log(1)
    actions.ask_for_webhook_test(hook, actor=SYSTEM)
    hooks.go()
    (told,) = texts(chat)
    assert told.startswith("Placet · This is a test")


def test_a_program_is_told_after_who_enabled_it_has_gone(hooks: Hooks, receiver: Receiver) -> None:
    otto = factories.person("Otto", roles={"auditor": hooks.feed.project})
    given = hooks.hook(receiver.url, "people", project=hooks.feed.project)
    hook = enabled_by(otto, given.webhook)
    deactivate_person(otto, actor=SYSTEM)
    hooks.feed.log(1)
    hooks.go()
    assert b"Otto" not in b"".join(receiver.bodies)
    hook.refresh_from_db()
    assert hook.state == "enabled" and receiver.bodies
