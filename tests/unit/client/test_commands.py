"""Every command explains itself; what is typed wrongly is said before a server is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from placet_client import login
from placet_client.cli import app, main


def commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield ``command`` and everything below it, with what each says of itself."""
    yield names, command.help or ""
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *names, name)


EVERY = dict(commands(typer.main.get_command(app)))


def test_every_noun_is_there() -> None:
    assert len(EVERY) > 100


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_command_says_what_it_does(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    assert "Usage: placet" in capsys.readouterr().out
    assert EVERY[words][0].isupper() and " " in EVERY[words].strip(), "no sentence"


def test_the_shell_completes() -> None:
    assert main(["--show-completion", "bash"]) in (0, 1)


@pytest.mark.parametrize(
    "words",
    [
        "model show risk",
        "model show risk/",
        "model show ../x/y",
        "version show risk/age",
        "version show risk/age:0x3",
        "endpoint show a/b",
        "release approve rel_1",
        "token create x",
        "project list --limit 0",
        "project list -o xml",
        "evidence add risk/age:1 metrics --data {",
        "evidence add risk/age:1 metrics --data [NaN]",
        "version tag risk/age:1 champion",
        "release wait rel_1 --timeout -1",
        "nothing",
    ],
)
def test_wrong_usage_is_2_and_asks_no_server(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PLACET_TOKEN", "plc_x")
    assert main(words.split()) == 2


def test_what_is_remembered_is_its_owners_and_a_damaged_login_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PLACET_URL", raising=False)
    monkeypatch.delenv("PLACET_TOKEN", raising=False)
    assert main(["whoami"]) == 1
    assert "placet login" in capsys.readouterr().err
    path = login.remember(login.Login("http://x", "t"))
    assert path.stat().st_mode & 0o077 == 0
    for damaged in ("{", "[]", "3"):
        path.write_text(damaged)
        assert main(["whoami"]) == 1
        assert "placet login" in capsys.readouterr().err
