"""What mails say, when they go out, and whom they do not reach any more."""

import re
import smtplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.urls import resolve

from apps.audit.hooks import followers
from apps.audit.queries import log_size
from apps.discussions.actions import delete_comment, open_thread, reply
from apps.discussions.queries import get_subject
from apps.governance.actions import (
    draft_policy,
    remove_review_request,
    request_review,
    set_absence,
    withdraw,
)
from apps.governance.events import RELEASE_LIVE
from apps.governance.models import Release, ReviewRequest
from apps.identity.actions import deactivate_person, erase_person, revoke_role, revoke_token
from apps.identity.models import ApiToken, RoleBinding, User
from apps.jobs.actions import enqueue
from apps.notices import telling
from apps.notices.actions import choose, watch_project
from apps.notices.models import Notice, NoticeState, Preference, Reading, Watch
from apps.notices.queries import LOOK
from apps.notices.queries.concerning import STILL
from apps.notices.rules import KINDS
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from tests.integration.notices.conftest import Post
from tests.support.factories import actor_of, api, service_account, token_for
from tests.support.mailboxes import mail_server
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db


def test_a_mail_says_what_happened_where_it_is_and_how_to_stop(post: Post) -> None:
    release = post.world.request("staging")
    post.read()
    subject = "[Placet] A release needs your review: release 1 of churn:1 at churn"
    assert post.mails() == [("Rex", subject), ("Rita", subject)]
    message = mail.outbox[0]
    assert "Requested release 1 by Ada risk" in message.body
    assert f"{config().public_url}/releases/{release.pk}/" in message.body
    assert f"stop it: {config().public_url}/notifications/" in message.body
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"


def test_mails_and_tasks_tell_one_version_at_two_endpoints_apart(post: Post) -> None:
    world, bento = post.world, post.world.bento(post.world.version())
    for endpoint in ("north", "south"):
        about = get_subject(
            "release", world.request("staging", bento, endpoint=endpoint).pk, SYSTEM
        )
        assert about.title.endswith(f": churn:1 to staging / {endpoint}")
        open_thread(about, text="Why, @rex.risk?", actor=world.ada)
    post.read()
    told = "\n".join(str(message.body) for message in mail.outbox)
    for number, endpoint in enumerate(("north", "south"), start=1):
        assert told.count(f"release {number} of churn:1 at {endpoint} ·") > 1
    tasks = api(token_for(world.people["Rex"])).get("/inbox/tasks").json()["items"]
    decisions = [task["title"] for task in tasks if task["kind"] == "decision"]
    assert decisions == ["churn:1 to staging / north", "churn:1 to staging / south"]


def test_every_link_of_a_mail_opens_a_page_and_decides_nothing(post: Post) -> None:
    world = post.world
    watch_project(world.project, is_on=True, actor=world.otto)
    release = world.request("staging")
    about = get_subject("release", release.pk, SYSTEM)
    open_thread(about, text="Why, @otto.risk?", actor=world.rita)
    draft_policy(world.environment("staging"), source=OPEN, actor=world.vera)
    post.read()
    links = {
        link.removeprefix(config().public_url)
        for message in mail.outbox
        for link in re.findall(r"http\S+", str(message.body))
    }
    names = {resolve(link).url_name for link in links}
    assert names == {"release", "thread", "policy", "notifications"}
    assert all(getattr(resolve(link).func, "is_page", False) for link in links)


def test_what_people_wrote_is_in_no_mail(post: Post) -> None:
    world = post.world
    release = world.request("staging", reason="A secret reason")
    about = get_subject("release", release.pk, SYSTEM)
    said = open_thread(about, text="A secret, @rita.risk", actor=world.rex).comment
    reply(said.thread, text="Another secret", actor=world.vera)
    world.decide(release, world.rita, "request_changes", comment="A secret comment")
    post.told()
    assert len(mail.outbox) >= 4
    assert not [one for one in mail.outbox if "secret" in f"{one.subject} {one.body}".lower()]


def test_much_at_once_is_one_mail(post: Post) -> None:
    for name in ("one", "two", "three"):
        post.world.request("staging", endpoint=name)
    post.read()
    assert post.mails() == [(who, "[Placet] 3 notices") for who in ("Rex", "Rita")]
    assert mail.outbox[0].body.count("A release needs your review") == 3


def test_a_digest_comes_once_a_day(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    choose("review", way="daily", actor=post.world.rex)
    release = post.world.request("staging")
    post.world.request("staging", endpoint="other")
    post.read()
    assert [who for who, _ in post.mails()] == ["Rita"]
    row = Notice.objects.filter(person=post.world.rex.id).first()
    assert row is not None
    assert (row.next_at.hour, row.next_at > now()) == (7, True)
    assert row.next_at - now() <= timedelta(days=1)
    post.later(days=1)
    assert ("Rex", "[Placet] Daily digest: 2 notices") in post.mails()
    assert f"/releases/{release.pk}/" in mail.outbox[1].body
    post.later(days=1)
    assert len(mail.outbox) == 2


def test_who_wants_no_mail_of_a_kind_gets_none(post: Post) -> None:
    choose("review", way="none", actor=post.world.rex)
    choose("review", way="none", project=post.world.project, actor=post.world.rita)
    post.world.request("staging")
    assert post.told() == []


def test_what_is_chosen_for_a_project_counts_there(post: Post) -> None:
    choose("review", way="none", actor=post.world.rex)
    choose("review", way="now", project=post.world.project, actor=post.world.rex)
    post.world.request("staging")
    assert post.told() == ["Rex review", "Rita review"]


def waits(post: Post) -> Release:
    """A release that waits, of which Rex is told in the next digest."""
    choose("review", way="daily", actor=post.world.rex)
    choose("review", way="none", actor=post.world.rita)
    release = post.world.request("staging")
    post.read()
    assert Notice.objects.get().state == NoticeState.WAITING
    return release


def take_role(post: Post, release: Release) -> None:
    revoke_role(RoleBinding.objects.get(person=post.people["Rex"]), actor=SYSTEM)


def decide(post: Post, release: Release) -> None:
    post.world.decide(release, post.world.rex)


def leave(post: Post, release: Release) -> None:
    deactivate_person(post.people["Rex"], actor=SYSTEM)


def erase(post: Post, release: Release) -> None:
    rex = post.people["Rex"]
    erase_person(deactivate_person(rex, actor=SYSTEM), actor=SYSTEM)


def stop(post: Post, release: Release) -> None:
    choose("review", way="none", actor=post.world.rex)


def withdrawn(post: Post, release: Release) -> None:
    withdraw(release, actor=post.world.ada)


@pytest.mark.parametrize("meanwhile", [take_role, decide, leave, erase, stop, withdrawn])
def test_what_concerns_somebody_no_more_is_not_mailed(
    post: Post, meanwhile: Callable[[Post, Release], None]
) -> None:
    meanwhile(post, waits(post))
    row = Notice.objects.get()
    row.next_at = now()
    row.save()
    post.read()
    row.refresh_from_db()
    assert row.state == NoticeState.DROPPED
    assert "Rex" not in [who for who, _ in post.mails()]


def test_who_left_a_project_hears_no_more_of_it(post: Post) -> None:
    world = post.world
    wes = post.newcomer("Wes", viewer=world.project)
    watch_project(world.project, is_on=True, actor=wes)
    choose("watched", way="now", actor=wes)
    release = world.request("staging")
    post.log(RELEASE_LIVE, release, number=1)
    assert "Wes watched" in post.told()
    revoke_role(RoleBinding.objects.get(person=post.people["Wes"]), actor=SYSTEM)
    post.log(RELEASE_LIVE, release, number=1)
    assert not [one for one in post.told() if one.startswith("Wes")]


def test_without_a_mail_server_nobody_is_told_later_either(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "email_url", "")
    post.world.request("staging")
    post.read()
    monkeypatch.setattr(config(), "email_url", "smtp://mail.example:25")
    assert post.told() == []


def test_a_mail_server_that_refuses_is_asked_again_for_a_day(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("review", way="none", actor=post.world.rita)
    post.world.request("staging")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", refuse)
        post.read()
        row = Notice.objects.get()
        assert (row.state, row.error) == ("waiting", "SMTPServerDisconnected")
        assert row.next_at > now()
    post.later(minutes=5)
    assert post.mails() == [
        ("Rex", "[Placet] A release needs your review: release 1 of churn:1 at churn")
    ]
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", refuse)
        post.world.request("staging", endpoint="other")
        post.read()
        post.later(days=2)
        assert Notice.objects.order_by("-pk")[0].state == NoticeState.FAILED


def test_a_token_that_expires_soon_is_told_its_holder_once(post: Post) -> None:
    bot = service_account("bot", owner=post.people["Otto"], roles={})
    token_for(post.people["Ada"])
    token_for(bot)
    token_for(post.people["Vera"])
    revoke_token(ApiToken.objects.get(person=post.people["Vera"]), actor=SYSTEM)
    ApiToken.objects.update(expires_at=now() + timedelta(days=3))
    ApiToken.objects.update(created_at=now() - timedelta(days=30))
    for _ in range(2):
        enqueue("notices.look_after")
        post.run_jobs("control")
        post.read()
    subject = "[Placet] An API token expires soon"
    assert sorted(post.mails()) == [("Ada", subject), ("Otto", subject)]
    token = ApiToken.objects.get(person=post.people["Ada"])
    assert token.prefix in mail.outbox[0].body + mail.outbox[1].body
    assert "/tokens/" in mail.outbox[0].body


def test_old_notices_are_forgotten_and_those_that_wait_are_not(post: Post) -> None:
    waits(post)
    post.world.request("development", endpoint="x")
    post.read()
    Notice.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    sent = Notice.objects.get()
    enqueue("notices.look_after")
    post.run_jobs("control")
    assert Notice.objects.filter(pk=sent.pk).exists(), "it waits"
    Notice.objects.update(state=NoticeState.SENT)
    enqueue("notices.look_after")
    post.run_jobs("control")
    assert not Notice.objects.exists()


def test_what_an_erased_person_chose_goes(post: Post) -> None:
    rex, rita = post.world.rex, post.world.rita
    for who in (rex, rita):
        choose("review", way="daily", actor=who)
        watch_project(post.world.project, is_on=True, actor=who)
    erase(post, post.world.request("staging"))
    enqueue("notices.look_after")
    post.run_jobs("control")
    assert {*Preference.objects.values_list("person", flat=True)} == {rita.id}
    assert {*Watch.objects.values_list("person", flat=True)} == {rita.id}


def test_the_log_is_archived_no_further_than_it_was_read(post: Post) -> None:
    post.read()
    cursor = Reading.objects.get().cursor
    assert cursor == log_size()
    post.world.request("staging")
    assert ("mail to people", cursor) in [
        (one.who, one.index) for some in followers() for one in some
    ]


def test_who_reads_the_log_first_begins_at_its_end(post: Post) -> None:
    post.world.request("staging")
    Reading.objects.all().delete()
    assert post.told() == []


def test_every_kind_has_a_headline_of_its_own() -> None:
    assert len({kind.headline for kind in KINDS.values()}) == len(KINDS)


def test_who_watches_by_a_token_or_is_told_is_the_same_person(post: Post) -> None:
    ada = actor_of(post.people["Ada"])
    watch_project(post.world.project, is_on=True, actor=ada)
    watch_project(post.world.project, is_on=False, actor=ada)
    post.log(RELEASE_LIVE, post.world.request("staging", actor=post.world.alan), number=1)
    assert not [one for one in post.told() if one.startswith("Ada")]


def test_a_review_request_that_was_taken_back_is_not_mailed(post: Post) -> None:
    world = post.world
    choose("review", way="daily", actor=world.rita)
    release = world.request("staging")
    post.skip()
    request_review(release, reviewers=[world.rita.id], actor=world.ada)
    post.read()
    remove_review_request(ReviewRequest.objects.get(), actor=world.ada)
    assert post.told() == []


def test_a_mention_in_a_comment_that_was_deleted_is_not_mailed(post: Post) -> None:
    world = post.world
    choose("mentioned", way="daily", actor=world.rita)
    about = get_subject("release", world.request("staging").pk, SYSTEM)
    post.skip()
    said = open_thread(about, text="Look, @rita.risk", actor=world.rex).comment
    post.read()
    delete_comment(said, actor=world.rex)
    assert not [one for one in post.told() if one.startswith("Rita")]


def test_who_watches_a_release_is_told_of_no_discussion_whose_first_comment_was_deleted(
    post: Post,
) -> None:
    world = post.world
    watch_project(world.project, is_on=True, actor=world.otto)
    about = get_subject("release", world.request("staging").pk, SYSTEM)
    post.skip()
    early, late, kept = (
        open_thread(about, text=text, actor=world.rex).comment for text in ("Early", "Late", "Kept")
    )
    delete_comment(early, actor=world.rex)
    post.read()
    delete_comment(late, actor=world.rex)
    post.later(days=1)
    told = Notice.objects.filter(person=world.otto.id).order_by("index")
    assert [(one.part, one.state) for one in told] == [(late.pk, "dropped"), (kept.pk, "sent")]


def test_a_mail_that_asks_names_who_is_asked_and_who_stands_in(post: Post) -> None:
    world = post.world
    release = world.request("staging")
    set_absence(deputy=world.people["Rita"].pk, ends_at=now() + timedelta(days=9), actor=world.rex)
    post.skip()
    request_review(release, reviewers=[world.rex.id], actor=world.ada)
    post.read()
    said = "Requested a review of release 1 from Rex risk, for whom Rita risk stands in by Ada risk"
    assert [said in str(one.body) for one in mail.outbox] == [True, True]


def test_no_name_is_a_link_in_a_mail(post: Post) -> None:
    world = post.world
    world.project.name = "Sign in at https://evil.example/login"
    world.project.save()
    User.objects.filter(pk=world.ada.id).update(name="Ada https://evil.example/")
    world.request("staging")
    post.read()
    links = {link for one in mail.outbox for link in re.findall(r"\w+://[^/\s]+", str(one.body))}
    assert links == {config().public_url}


def test_what_one_project_makes_delays_nobody_elses_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "READING", 300.0)  # however slow this machine is
    release, other = post.world.request("staging"), World("other")
    post.skip()
    for number in range(3 * LOOK):
        post.log(RELEASE_LIVE, release, number=number)
    other.request("staging")
    post.read()
    assert other.people["Rita"].email in {one.to[0] for one in mail.outbox}


def test_a_mail_that_cannot_be_written_is_given_up_after_a_day(post: Post, settings: Any) -> None:
    User.objects.filter(pk=post.world.rex.id).update(email='"a\x0bb"@example.com')
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, _, settings.EMAIL_PORT = urlsplit(server.url).netloc.partition(":")
        settings.EMAIL_USE_TLS = False
        post.world.request("staging")
        post.read()
        post.later(days=2)
    row = Notice.objects.get(person=post.world.rex.id)
    assert (row.state, row.error) == (NoticeState.FAILED, "HeaderWriteError")
    assert [one["To"] for one in server.messages] == [post.people["Rita"].email]


def test_a_notice_that_cannot_be_read_holds_nobody_elses_mail_up(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    rex, still = post.world.rex.id, telling.queries.still_concerns

    def broken(notice: Notice, actor: Any) -> bool:
        if notice.person_id == rex:
            raise KeyError(notice.kind)
        return still(notice, actor)

    monkeypatch.setattr(telling.queries, "still_concerns", broken)
    post.world.request("staging")
    post.read()
    assert [name for name, _ in post.mails()] == ["Rita"]
    row = Notice.objects.get(person=rex)
    assert (row.state, row.error) == (NoticeState.WAITING, "unreadable")
    post.later(days=2)
    row.refresh_from_db()
    assert row.state == NoticeState.FAILED, "given up after a day"


def test_a_letter_that_cannot_be_written_holds_nobody_elses_mail_up(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    rex, write = post.world.rex.id, telling.letter

    def broken(notices: list[Notice], person: User, actor: Any) -> Any:
        if person.pk == rex:
            raise KeyError("headline")
        return write(notices, person, actor)

    monkeypatch.setattr(telling, "letter", broken)
    post.world.request("staging")
    post.read()
    assert [name for name, _ in post.mails()] == ["Rita"]
    row = Notice.objects.get(person=rex)
    assert (row.state, row.error) == (NoticeState.WAITING, "KeyError")


def test_every_kind_of_notice_is_asked_whether_it_still_concerns() -> None:
    assert set(STILL) == set(KINDS)


def test_who_is_asked_for_a_review_in_two_ways_reads_of_it_once_where_and_until_when(
    post: Post,
) -> None:
    world, due = post.world, datetime.now(UTC) + timedelta(days=2)
    release = world.request("staging")
    request_review(release, reviewers=[world.rex.id], review_due_at=due, actor=world.ada)
    post.read()
    subject = "[Placet] A release needs your review: release 1 of churn:1 at churn"
    assert post.mails() == [("Rex", subject), ("Rita", subject)]
    bodies = {message.to[0]: str(message.body) for message in mail.outbox}
    rex, rita = (bodies[post.people[name].email] for name in ("Rex", "Rita"))
    assert rex.count("A release needs your review") == 1
    assert f"Ada risk asked you, due {due:%d %B %H:%M} UTC" in rex and "asked you" not in rita
    for body in (rex, rita):
        assert "release 1 of churn:1 at churn · risk · staging" in body
        assert f"The request expires on {release.not_after:%-d %b %Y, %H:%M} UTC" in body


def test_a_mail_says_that_gates_have_failed_and_what_is_to_be_done(post: Post) -> None:
    release = post.world.request("staging")
    failed = {"passed": False, "state": "failed", "reason": "Two findings"}
    Release.objects.update(gates=[*release.gates, {**release.gates[0], **failed, "gate": "scan"}])
    post.read()
    title = release.gates[0]["title"]
    assert f"Gates have failed: {title}. What failed cannot pass" in mail.outbox[0].body
    assert "A release that needs your review has failed gates" in mail.outbox[0].subject
    client = api(token_for(post.people["Rex"]))
    (task,) = client.get("/inbox/tasks").json()["items"]
    assert f"Needs your decision. Gates have failed: {title}. What failed" in task["detail"]


def test_a_mail_of_a_draft_that_cannot_be_published_says_so(post: Post) -> None:
    nine = OPEN + "  - {gate: approvals, role: approver, count: 9}\n"
    draft_policy(post.world.environment("staging"), source=nine, actor=post.world.vera)
    post.read()
    (message,) = mail.outbox
    assert "A policy draft cannot be published" in message.subject
    assert "staging" in message.body and "It asks for 9 approvers" in message.body
    assert "An access administrator gives people that role first" in message.body
