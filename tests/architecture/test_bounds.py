"""Every reader of foreign bytes stands in the threat model's table with its bound, and keeps it."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from placet_agent import client
from placet_verify import canonical
from placet_verify.log import archived_events
from tests.architecture.bounds import cases
from tests.architecture.test_layout import ROOT, tracked
from workers.builder.scanning import files as scanned
from workers.builder.scanning import headers, machine

READS = re.compile(
    r"(canonical|json)\.loads?|loads|strict_loads|tomllib\.loads?|yaml\.(parse|compose|\w*load)"
    r"|yaml_text\.read|MarkdownIt|csv\.\w*[rR]eader|zipfile\.(ZipFile|is_zipfile)"
    r"|tarfile\.(open|TarInfo\.frombuf)|zlib\.decompress\w*|gzip\.\w+|lzma\.\w+|bz2\.\w+"
    r"|x509\.load_\w+|serialization\.load_\w+|pickle\.loads?|ElementTree\.\w+|onnx\.[\w.]+"
    r"|(base64\.)?(urlsafe_)?b64decode|([\w.]+\.)?from_json|kind\.from_dict|ast\.literal_eval"
    r"|(struct|_\w+)\.unpack(_from)?|Requirement|parse_wheel_filename|parsedate_to_datetime"
    r"|parse_qsl?|\w+\.iter_(content|bytes)|\w+\.recv\w*|os\.read"
)
# Readers of what Placet itself, its operator, or who runs the command wrote
OWN = {
    "apps/audit/*": "events, which are hashed, and stamps that were checked when they came",
    "apps/builds/samples/__init__.py": "sample data that lies beside it",
    "apps/console/views/base.py": "what a form was signed with",
    "apps/console/queries/guide_titles.py": "the index of guides that bin/site made",
    "apps/console/queries/event_page.py": "statements of ours, and receipts that were checked",
    "apps/governance/actions/*": "requests and provenance that we signed",
    "apps/governance/api/exports.py": "writes",
    "apps/governance/queries/records.py": "what it wrote itself, within a bound of its own",
    "apps/identity/*": "sessions, caches and positions of our own; passkeys go through webauthn.py",
    "apps/assurance/recall_register.py": "statements that we signed",
    "apps/integrations/senders.py": "nothing: what a receiver says is thrown away, within 12 s",
    "apps/integrations/rules.py": "a date, of 40 characters at most",
    "apps/integrations/chats.py": "an address of a chat, of 500 characters at most",
    "apps/integrations/chat_requests.py": "a body that was written here a moment before",
    "apps/integrations/signing.py": "what webhooks sign with, which was encrypted here",
    "placet_protocol/secret_box.py": "what was encrypted here, and keys of this installation",
    "apps/serving/agent_api/listening.py": "what its own process rings with, 4 kB at a time",
    "apps/serving/desired.py": "statements that we signed",
    "apps/serving/readable.py": "a state that we are about to sign",
    "apps/monitoring/queries/comparing.py": "what prediction_lines.py read",
    "placet/kernel/artifacts.py": "settings",
    "apps/operations/backup/*": "copies that an operator restores",
    "placet/kernel/config.py": "settings",
    "apps/operations/demo/story.py": "our own answers",
    "placet/embedded/*": "files of this installation",
    "apps/operations/management/*": "files of this installation",
    "placet/kernel/api/lists.py": "cursors, signed before they are read",
    "placet_agent/*": "files of this agent; its programs' answers have bounds of their own",
    "placet_client/*": "its own files and the answers of the platform that it was told to ask",
    "placet_verify/__main__.py": "files that who runs it names",
    "placet_verify/archive/pack.py": "writes",
    "placet_verify/commands/pack.py": "writes",
    "placet_verify/canonical.py": "the reader that others call with a bound",
    "placet_verify/signing/keys.py": "keys.json, and keys that an operator made",
    "workers/builder/bento.py": "writes",
    "workers/builder/generate.py": "what it wrote",
    "workers/builder/runtimes.py": "what it wrote",
    "workers/builder/libraries.py": "runs in a sandbox with 1 GB and 60 s, see scanner.py",
    "workers/builder/probe.py": "what the worker wrote; runs in the sandbox",
    "workers/builder/scanning/onnx.py": "runs in the sandbox of files.py",
    "workers/builder/sbom.py": "names of wheels in the lock that uv wrote",
    "workers/builder/templates/*": "runs in the sandbox or on the node",
}


def table() -> dict[str, list[str]]:
    """Return the readers of each row of the table."""
    text = (ROOT / "docs" / "threat-model.md").read_text()
    part = text.split("## What a stranger's bytes may cost")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    return {row[0].strip(): re.findall(r"`([\w/.]+\.py)`", row[1]) for row in rows[2:]}


def readers() -> set[str]:
    """Return the modules that call a parser, as the table names them."""
    found = set()
    for path in tracked("apps/*.py", "platform/*.py", "workers/*.py"):
        calls = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))
        if any(READS.fullmatch(ast.unparse(call.func)) for call in calls):
            found.add(path.relative_to(ROOT).as_posix().removeprefix("platform/"))
    return found


def test_every_reader_of_bytes_has_a_row_or_reads_our_own() -> None:
    listed, found = {path for paths in table().values() for path in paths}, readers()
    ours = {path for path in found for known in OWN if fnmatch(path, known)}
    assert found - listed - ours == set(), "say in docs/threat-model.md how much they read"
    places = (ROOT, ROOT / "platform")
    assert {path for path in listed if not any((r / path).is_file() for r in places)} == set()
    assert {known for known in OWN if not any(fnmatch(path, known) for path in found)} == set()


# Rows that other tests try
ELSEWHERE = {
    "what it printed": "tests/integration/builds/test_sandbox.py::test_endless_output_is_cut_off",
    "wheels, before they are installed": "tests/unit/builds/test_runtimes.py",
    "answers of passkeys that sign decisions": "tests/contract/test_broken_bodies.py",
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that would take a test gigabytes."""
    monkeypatch.setattr(client, "_MAX_JSON", 100)
    monkeypatch.setattr(headers, "MAX_HEADER", 100)
    monkeypatch.setattr(archived_events, "LARGEST", canonical.weight(b"[[1]]"))
    monkeypatch.setattr(machine, "MAX_OPCODES", 10)
    monkeypatch.setattr(scanned, "MAX_MEMBERS", 3)


def test_every_row_is_tried(tmp_path: Path) -> None:
    assert table().keys() == cases(tmp_path).keys() | ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        path, _, name = place.partition("::")
        assert f"def {name}" in (ROOT / path).read_text(), place


@pytest.mark.parametrize("row", cases(Path()))
def test_a_row_is_kept_at_its_bound_and_over_it(row: str, tmp_path: Path, small: None) -> None:
    at, over, error = cases(tmp_path)[row]
    at()
    with pytest.raises(error):
        over()
