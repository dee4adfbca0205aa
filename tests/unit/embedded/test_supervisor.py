"""Two supervisors on one data folder: the second is refused and touches nothing of the first."""

import os
import signal
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest

from placet.embedded.postgres import Cluster
from placet.embedded.processes import GIVE_UP_AFTER
from placet.embedded.supervisor import ENDING, CannotStart, Supervisor, choose_ports, lock_data
from placet.kernel.config import Config


def test_a_second_start_is_refused_by_what_is_the_matter(tmp_path: Path) -> None:
    with lock_data(tmp_path), pytest.raises(CannotStart, match="already runs with the data in"):
        choose_ports(Config(data_dir=tmp_path), None, None)
    assert choose_ports(Config(data_dir=tmp_path), None, None)[0] >= 8000


def test_a_refused_start_stops_nothing_of_the_one_that_runs(tmp_path: Path) -> None:
    second = Supervisor(Config(data_dir=tmp_path), 1, 2, print)
    with lock_data(tmp_path), patch.object(Cluster, "stop") as stopped:
        with pytest.raises(CannotStart):
            second.start()
        second.stop()
    stopped.assert_not_called()


@pytest.mark.parametrize("number", ENDING)
def test_a_second_signal_while_it_stops_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals
) -> None:
    supervisor, stopped = Supervisor(Config(data_dir=tmp_path), 1, 2, print), list[str]()

    def child(name: str) -> Any:
        made = Mock()
        made.name = name
        made.stop.side_effect = lambda: (os.kill(os.getpid(), number), stopped.append(name))
        return made

    supervisor.children = [child("web"), child("worker")]
    before = {known: signal.signal(known, signal.default_int_handler) for known in ENDING}
    try:
        with lock_data(tmp_path) as supervisor._lock, patch.object(Cluster, "stop") as database:
            supervisor.stop()
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)
    assert stopped == ["worker", "web"]
    database.assert_called_once()


@pytest.mark.parametrize(
    ("refusals", "broken"), [(GIVE_UP_AFTER - 1, False), (GIVE_UP_AFTER, True)]
)
def test_a_killed_postgresql_may_refuse_to_start_for_a_moment(
    tmp_path: Path, refusals: int, broken: bool
) -> None:
    supervisor = Supervisor(Config(data_dir=tmp_path), 1, 2, lambda line: None)
    answers = [RuntimeError("pre-existing shared memory block")] * refusals + [None]
    with (
        patch.object(Cluster, "pid", return_value=None),
        patch.object(Cluster, "start", side_effect=answers),
    ):
        for _ in range(refusals + (not broken)):
            supervisor._watch()
    assert (supervisor.broken, supervisor.stopping) == (broken, broken)
    assert supervisor.refusals == (GIVE_UP_AFTER if broken else 0)


def test_mail_and_sign_in_are_set_for_who_needs_them_and_nothing_else_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EMAIL_URL", "OIDC_ISSUER", "WEBHOOK_HOSTS", "SECRET_KEY", "DATABASE_URL"):
        monkeypatch.setenv(f"PLACET_{name}", "given")
    supervisor = Supervisor(Config(data_dir=tmp_path), 1, 2, print)
    given = {
        process: {k for k, v in supervisor._environment(process).items() if v == "given"}
        for process in ("web", "agent", "broker")
    }
    handed = {"PLACET_EMAIL_URL", "PLACET_OIDC_ISSUER", "PLACET_WEBHOOK_HOSTS"}
    assert given == {"web": handed, "agent": set(), "broker": set()}
