"""The client and the agent are wheels of their own, which need neither Django nor this checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

from placet_client import __version__

ROOT = Path(__file__).resolve().parents[3]
UV = ROOT / ".boot" / "bin" / "uv"


def run(*command: object, cwd: Path | str = "/") -> str:
    """Run a program outside the checkout and return what it printed."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("package", "command", "said"),
    [
        ("placet_client", "placet", f"placet {__version__}"),
        ("placet_agent", "placet-agent", "placet-agent"),
    ],
)
def test_a_wheel_is_built_and_its_command_starts_without_django(
    package: str, command: str, said: str, tmp_path: Path
) -> None:
    run(UV, "build", "-q", "--wheel", ROOT / "platform" / package, "-o", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    run(UV, "venv", "-q", "--python", sys.executable, home)
    run(UV, "pip", "install", "-q", "--python", home / "bin" / "python", wheel)
    option = "--version" if command == "placet" else "--help"
    assert said in run(home / "bin" / command, option)
    look = f"""
from importlib.util import find_spec
print([bool(find_spec(name)) for name in ("django", "{package}", "placet_verify")])
"""
    assert run(home / "bin" / "python", "-I", "-c", look).strip() == "[False, True, True]"
    if package == "placet_agent":
        assert run(home / "bin" / "python", "-I", "-c", EVERY_MODULE).split() == modules()


EVERY_MODULE = """
import importlib, pkgutil, placet_protocol
for found in pkgutil.walk_packages(placet_protocol.__path__, "placet_protocol."):
    importlib.import_module(found.name)
    print(found.name)
import placet_agent.loop, placet_agent.state.joining
"""


def modules() -> list[str]:
    """Return the modules of the messages between platform and agent, as the checkout has them."""
    folder = ROOT / "platform" / "placet_protocol"
    found = [path.relative_to(folder.parent).with_suffix("") for path in folder.rglob("*.py")]
    names = [".".join(p.parts).removesuffix(".__init__") for p in found]
    return sorted(name for name in names if name != "placet_protocol")


def test_the_command_of_a_checkout_imports_nothing_from_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise SystemExit('somebody else’s code ran')")
    assert "placet" in run(ROOT / "bin" / "placet", "--version", cwd=tmp_path)
