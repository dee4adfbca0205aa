"""README's first minutes, and what guides mark with ``<!-- run -->``, done as they are written.

In a clone of what is committed, in an empty folder that only its owner may enter, with an
environment that has nothing of a Placet: whatever the clone needs, ``make run`` installs. It takes
packages from the cache that uv keeps; nothing of this checkout is lent to it. The text's blocks are
read and run; changed in them are the two ports, which may be taken here, and so the address.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import onnx
import pytest

from apps.operations.demo.people import DemoPerson
from placet.embedded.supervisor import free_port
from placet_client import Client
from tests.support.blocks import ROOT, Block, blocks

pytestmark = pytest.mark.e2e
OF_THIS_RUN = re.compile(r"(?:PLACET|PYTEST|PYTHON|DJANGO|VIRTUAL|MAKE|MFLAGS|GIT)\w*")
WRITTEN = "http://localhost:8000"
RETURN = "--- returned ---"
MOST_SECONDS = 600  # from a clone to an answer
# What stands in capitals in a guide, and the reader fills in.
FILLED = {" FILE": " .placet/checkpoints/latest.txt", " FOLDER": " ../exported"}


@dataclass
class Clone:
    """A clone in which Placet runs, and what ``make run`` printed."""

    path: Path
    environment: dict[str, str]
    output: str
    begun: float  # by the monotonic clock
    steps: dict[str, float] = field(default_factory=dict)  # what was done → seconds

    def done(self, what: str) -> None:
        """Note how long a step took: since the one before it, or since the beginning."""
        self.steps[what] = time.monotonic() - self.begun - sum(self.steps.values())

    @property
    def url(self) -> str:
        """The address that it printed."""
        found = re.search(r"Placet runs at +(\S+)", self.output)
        assert found, self.output
        return found[1]

    def person(self, email: str) -> DemoPerson:
        """Sign somebody in with the password that it printed."""
        found = re.search(rf"{re.escape(email)} +(\S+)", self.output)
        assert found, self.output
        return DemoPerson.sign_in(self.url, role="", name=email, email=email, password=found[1])

    def shell(self, text: str, answer: str = "") -> "subprocess.Popen[str]":
        """Type a text, at the printed address; ``answer`` is typed where something is asked."""
        for word, value in ((WRITTEN, self.url), *FILLED.items()):
            text = text.replace(word, value)
        process = subprocess.Popen(
            ["bash", "-c", text],
            cwd=self.path,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # without a terminal a password is read from what is typed
        )
        assert process.stdin
        process.stdin.write(answer)
        process.stdin.close()
        process.stdin = None
        return process

    def typed(self, text: str, seconds: float = 120) -> str:
        """Type a text of which nothing may fail; return what it printed."""
        process = self.shell("set -euo pipefail\n" + text)
        said, _ = process.communicate(timeout=seconds)
        assert process.returncode == 0, f"{text}\n{said}"
        return said


def readme() -> list[Block]:
    """Return what README has the reader type."""
    return blocks(ROOT / "README.md", "sh")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """Clone, and type what README says first: ``make run``, with the demo's people."""
    home = tmp_path_factory.mktemp("readme")
    home.chmod(0o700)
    path = home / "placet"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(path)], check=True)
    environment = {k: v for k, v in os.environ.items() if not OF_THIS_RUN.fullmatch(k)}
    own = Path(sys.executable).parent  # where this run's programs are
    places = os.environ["PATH"].split(os.pathsep)
    environment["PATH"] = os.pathsep.join(p for p in places if Path(p) != own)
    log, begun = home / "make-run.log", time.monotonic()
    process = started(path, environment, log)
    try:
        wait_for(log, "Ctrl-C stops", process)
        mine = {"PATH": f"{path / 'bin'}{os.pathsep}{environment['PATH']}"}
        mine |= {"XDG_CONFIG_HOME": str(home / "config"), "CURL_HOME": str(home)}
        (home / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
        found = Clone(path, environment | mine, log.read_text(), begun)
        found.done("make run, with all that it installs")
        yield found
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C, which all of a terminal's job get
        process.wait(120)
        if (path / ".venv").exists():
            down = [".venv/bin/python", "manage.py", "down", "--remove-data"]
            subprocess.run(down, cwd=path, env=environment, check=False)
        shutil.rmtree(path)


def started(path: Path, environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Type README's ``make run ARGS=--demo`` with free ports."""
    [line] = [b.text.strip() for b in readme() if b.text.startswith("make run ARGS=")]
    port = free_port(18000 + os.getpid() % 500 * 4, 400)
    ports = f" --port {port} --endpoint-port {free_port(port + 1, 400)}"
    words = line.split()
    with log.open("w") as file:
        return subprocess.Popen(
            [*words[:-1], words[-1] + ports],
            cwd=path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def wait_for(log: Path, text: str, process: "subprocess.Popen[bytes]", seconds: int = 400) -> None:
    """Wait until ``text`` was printed."""
    end = time.monotonic() + seconds
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, f"not in {seconds} s: {log.read_text()}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def token(clone: Clone) -> str:
    """A token of the data scientist, made on the page as it is filled in."""
    with clone.person("dana@placet.local") as dana:
        made = sent(dana, "/tokens/", "/tokens/new", {"name": "first minutes"})
    secret = re.search(r"plc_\w+", made.text)
    assert secret, made.text
    clone.environment["TOKEN"] = secret[0]
    return secret[0]


def sent(person: DemoPerson, page: str, action: str, more: dict[str, str]) -> httpx.Response:
    """Send the form of a token that stands on a page, with the preset that it offers first."""
    text = person.http.get(page).text
    form = {
        "csrfmiddlewaretoken": re.findall(r'csrfmiddlewaretoken" value="([^"]+)', text)[-1],
        "days": "1",
        "project": "",
        "preset": re.findall(r'name="preset"\s+value="([^"]+)"\s+checked', text)[0],
    }
    headers = {"Referer": f"{person.url}{page}"}
    return person.http.post(action, data=form | more, headers=headers)


@pytest.fixture(scope="module")
def live(clone: Clone, token: str) -> str:
    """README's model is registered, built, requested, approved by a reviewer, and live; what the
    commands printed."""
    [block] = [b for b in readme() if "placet login" in b.text]
    process = clone.shell("set -euo pipefail\n" + block.text)
    with clone.person("dana@placet.local") as dana:
        said = confirm(dana, process)
    clone.done("a command line is logged in, and confirmed in the browser")
    with clone.person("ravi@placet.local") as ravi:
        approve(ravi, process)
    clone.done("a version is registered, built and requested; a second person approves")
    rest, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said + rest
    clone.done("it is live")
    return said + rest


def confirm(person: DemoPerson, process: "subprocess.Popen[str]") -> str:
    """Confirm in the browser the code that the terminal shows; return what it printed so far."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if code := re.search(r"confirm the code (\S+)", line):
            form = {"code": code[1], "name": "my machine"}
            answer = sent(person, f"/device/?code={code[1]}", "/device/confirm", form)
            assert "Return to your terminal" in answer.text, answer.text
            return said
    raise AssertionError(said)


def approve(reviewer: DemoPerson, process: "subprocess.Popen[str]", seconds: float = 300) -> None:
    """Wait for a release that waits for the reviewer, and approve it as it is shown."""
    end = time.monotonic() + seconds
    while not (found := reviewer.do("GET", "/projects/clinic/releases?state=requested")["items"]):
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < end, f"no release within {seconds} s"
        time.sleep(0.2)
    reviewer.decide(reviewer.do("GET", f"/releases/{found[0]['id']}")["release"], "Looks right.")


def test_the_first_minutes_end_with_an_answer(
    clone: Clone, token: str, live: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "clinic/breast-cancer:1" in live
    [block] = [b for b in readme() if "endpoint predict" in b.text]
    assert json.loads(clone.typed(block.text)) == {"prediction": 0}
    clone.done("it answers")
    with capsys.disabled():
        print("", *(f"{took:7.1f} s  {what}" for what, took in clone.steps.items()), sep="\n")
        print(f"{sum(clone.steps.values()):7.1f} s  on the command line, all in all")
    assert sum(clone.steps.values()) < MOST_SECONDS
    with Client(clone.url, token) as placet:
        endpoint = placet.endpoints.find("clinic", "staging", "breast-cancer")
    row = json.loads((ROOT / "examples/row.json").read_text())
    answer = httpx.post(f"{endpoint.url}/predict", json=row)
    assert answer.json() == {"prediction": 0}


def marked(page: str) -> list[Block]:
    """Return the blocks of a guide that are to be run, in order."""
    found = [block for block in blocks(ROOT / "docs" / page) if block.mark == "run"]
    assert found, page
    return found


def test_a_version_is_registered_by_hand(clone: Clone, live: str) -> None:
    """It is another model, as its author's would be: the project knows README's file already."""
    model = clone.path / "examples/breast-cancer/model.onnx"
    mine = onnx.load(model)
    mine.doc_string = "Another one"
    onnx.save(mine, model)
    try:
        said = clone.typed("\n".join(block.text for block in marked("models.md")))
    finally:
        subprocess.run(["git", "checkout", "-q", "examples"], cwd=clone.path, check=True)
    assert '"state":"finalised"' in said and "# By hand" in said


@pytest.mark.parametrize("page", ["audit.md", "statements.md"])
def test_what_a_guide_says_can_be_typed(clone: Clone, live: str, page: str) -> None:
    assert clone.typed("\n".join(block.text for block in marked(page)))


@pytest.mark.parametrize(
    "block",
    [b for p in ("cli.md", "rollouts.md") for b in marked(p) if b.language == "console"],
    ids=str,
)
def test_what_a_guide_shows_is_what_is_answered(clone: Clone, live: str, block: Block) -> None:
    """Line by line, with anything for ``…``; more may be answered than is shown."""
    steps = [step.partition("\n") for step in re.split(r"^\$ ", block.text, flags=re.M)[1:]]
    text = "\n".join(f"{command}\nwas=$?; echo '{RETURN}'; (exit $was)" for command, _, _ in steps)
    said, _ = clone.shell(text).communicate(timeout=120)
    for (command, _, shown), answer in zip(steps, said.split(RETURN), strict=False):
        lines = [r"\s+".join(map(re.escape, line.split())) for line in shown.splitlines()]
        wanted = r"(?s:.*)".join(rf"^ *{line} *$" for line in lines).replace("…", ".*")
        assert re.search(wanted, answer, re.MULTILINE), f"{command}\n{answer}"


def test_the_sdk_does_what_its_page_says(clone: Clone, live: str) -> None:
    [block] = [b for b in marked("cli.md") if b.language == "python"]
    (clone.path / "said.py").write_text(
        "import os\ntoken = os.environ['TOKEN']\n" + block.text.replace(WRITTEN, clone.url)
    )
    said = clone.typed("PYTHONPATH=platform .venv/bin/python said.py")
    assert "breast-cancer 1" in said.splitlines()
