"""The figures of a project's releases, printed for people."""

import pytest

from placet_client.cli import main
from tests.support.commands import answer
from tests.support.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("first_release"),
]


def test_figures_are_printed_by_model_and_environment(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["project", "figures", "risk"]) == 0
    said = capsys.readouterr().out
    assert "MODEL" in said.upper()
    (line,) = [line for line in said.splitlines() if line.strip().startswith("churn")]
    model, environment, _, whole, rollouts, wrong, back = line.split()
    assert (model, environment, rollouts, wrong, back) == ("churn", "development", "1", "0", "0")
    assert float(whole) >= 0
    assert main(["project", "figures", "risk", "-o", "json"]) == 0
    assert answer(capsys)["places"][0]["stages"]["whole"]["count"] == 1
