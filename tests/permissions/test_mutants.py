"""Every route × method × role is answered as the table says; who forgets a check is told so by it.

Each check is taken out in every run.
"""

import ast
import functools
import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from placet.kernel.config import config
from tests.permissions import controls
from tests.permissions.asking import Examiner
from tests.permissions.table import COLUMNS
from tests.support.mutants import Mutant, checks, functions, mutants, recorded, removed

Question = Callable[[], str]
# Removing one of these changes no answer: what is called next refuses in the same words.
NEEDLESS = {
    "apps/assurance/queries/called.py can",  # of a token without access.view, which no role is
    "apps/assurance/queries/called.py visible",  # the events that are found are filtered again
    "apps/console/queries/alerts.py can_somewhere",  # spares a query of visible alerts
    "apps/console/views/policies.py visible",  # lift_freeze asks again, and hides as well
    "apps/governance/queries/visible_rows.py can_somewhere",  # spares a query of inbox()
    "apps/governance/actions/promoting.py can",  # request_release asks again, in its own words
    # remove_review_request asks again, and hides as well
    "apps/governance/queries/review_requests.py visible",
    "apps/identity/sign_in/adapters.py demand_fresh_session",  # routes ask before
    "apps/console/queries/release_behaviour.py can_somewhere",  # spares columns shown to nobody
    # of a token without rollout.view, which no role is
    "apps/rollouts/passed.py can_somewhere",
    "apps/rollouts/passed.py visible",
    "apps/rollouts/queries.py can_somewhere",  # spares a query of awaiting_person()
    "apps/rollouts/traffic.py visible",  # of a token without rollout.view, which no role is
}
# These choose a sentence, and nothing that is not the reader's to see.
SAID = {
    "apps/console/queries/deployments.py can",  # which links there are
    "apps/console/navigation.py can",  # which entries a menu has
    "apps/console/navigation.py projects_with",
    "apps/console/templatetags/placet.py can",  # whether a leaf is a link
    "apps/console/views/duties.py can_somewhere",  # why an empty page is empty
    "apps/console/queries/home_page.py can",  # where an empty page leads
    "apps/console/queries/page_parts.py can_somewhere",  # who makes the first project
    "apps/console/queries/page_parts.py can",  # that there is none, or none that is seen
    "apps/console/queries/empty_lists.py can",  # why an empty list is empty
    "apps/console/queries/empty_lists.py can_somewhere",
    "apps/console/queries/log_search.py can",  # that there are events which are not visible
    "apps/console/queries/home_page.py can_somewhere",
    "apps/console/queries/policy_revision.py can",  # what a link to drafts says
    "apps/console/queries/recall_voided.py projects_with",  # that there are others
    "apps/console/queries/streams.py can_somewhere",
    "apps/console/queries/webhooks.py can_somewhere",
    "apps/console/templatetags/placet.py can_somewhere",
    "apps/identity/sign_in/signals.py demand_fresh_session",
}
REFUSALS = {"403", "404", "refused"}


def test_a_check_is_found_under_any_name() -> None:
    source = """
from apps.identity import queries
from apps.identity.queries import authorize as ask, visible

def do(actor, row, rows):
    ask(actor, "x", row)
    queries.authorize(actor, "x", row)
    return visible(rows, actor) if actor.can("x") else actor.projects_with("y")
"""
    found = [(m.line, m.name) for m in sorted(checks("x.py", ast.parse(source)))]
    assert found == [
        (6, "authorize"),
        (7, "authorize"),
        (8, "visible"),
        (8, "can"),
        (8, "projects_with"),
    ]


@pytest.mark.django_db
def test_each_role_is_answered_as_the_table_says_and_a_check_taken_out_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config(), "session_requests_per_minute", 0)
    functions()
    examiner = Examiner()
    questions = examiner.questions()
    every = [m for m in mutants() if f"{m.path} {m.name}" not in NEEDLESS | SAID]
    reached, wrong = which_ask(questions, every)
    if os.environ.get("PLACET_RENEW_CONTROLS"):
        controls.TABLE.write_text(controls.written(examiner.offered))
        return
    assert not wrong, "\n".join(wrong)
    found = {str(m): noticed(m, reached[m]) for m in every}
    if out := os.environ.get("PLACET_MUTANTS_OUT"):
        Path(out).write_text(json.dumps(found))
    survived = [m for m, by in found.items() if not by]
    assert not survived, "no question misses:\n" + "\n".join(survived)


def which_ask(
    questions: list[Question], every: list[Mutant]
) -> tuple[dict[Mutant, list[Question]], list[str]]:
    """Ask them all; return the questions that each check is asked for, and what was wrong."""
    found: dict[Mutant, dict[Question, None]] = defaultdict(dict)
    now: list[Question] = []
    wrong: list[str] = []
    with recorded(every, lambda mutant: found[mutant].setdefault(now[-1])):
        for question in questions:
            now.append(question)
            if fault := question():
                wrong.append(fault)
    return {m: list(found[m]) for m in every}, wrong


def noticed(mutant: Mutant, questions: list[Question]) -> str:
    """Return the first answer that is wrong without the check, '' when there is none.

    Those that are refused are asked first: without a check more is allowed, seldom less.
    """
    with removed(mutant):
        likely = sorted(questions, key=lambda question: not refused(question))
        return next(filter(None, (question() for question in likely)), "")


def refused(question: Question) -> bool:
    """Tell whether the right answer is a no; the direct questions all are."""
    if not isinstance(question, functools.partial) or len(question.args) < 2:
        return True
    row, role = question.args
    return row.expected[COLUMNS.index(role)] in REFUSALS
