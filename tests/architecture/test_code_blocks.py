"""What README, guides and recipes show in fenced blocks is so, by the parsers of what it is for.

Blocks of the recipes are followed in ``test_recipes.py``, those marked ``<!-- run -->`` are run in
``e2e/test_readme.py``.
"""

import ast
import base64
import functools
import importlib
import inspect
import json
import re
import secrets
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from django.core.management import get_commands, load_command_class
from typer.core import TyperCommand

import placet_agent.cli
import placet_client.cli
from apps.governance import policies
from apps.governance.api.decisions import NewDecisionSerializer
from apps.governance.api.releases import NewReleaseSerializer
from apps.registry.errors import NotReady
from apps.registry.rules.signature import signature_faults
from placet.kernel.config import Config
from placet_client import Client, refs
from placet_verify import canonical
from placet_verify.__main__ import _parser as verifier
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PrivateKey, PublicKey
from tests.permissions.table import routes
from tests.support.blocks import ROOT, Block, Command, commands, every, lines
from tests.support.documents import plan_document, serving_document

RECIPES = "docs/develop/recipes/"
LANGUAGES = {"sh", "console", "python", "json", "yaml", "sql", "text"}
# Programs of Debian, of Docker and of those whose formats we write: not ours to look into.
FOREIGN = {
    ".",
    "apt-get",
    "base64",
    "cat",
    "cd",
    "chmod",
    "chown",
    "cmp",
    "cosign",
    "cp",
    "cut",
    "docker",
    "echo",
    "git",
    "grep",
    "groupadd",
    "head",
    "install",
    "jq",
    "mkdir",
    "model_signing",
    "openssl",
    "pip",
    "printf",
    "sed",
    "sha256sum",
    "sort",
    "stat",
    "systemctl",
    "tail",
    "useradd",
}
REFERENCES: dict[str, Callable[[str], object]] = {
    "PROJECT/MODEL": refs.model,
    "PROJECT/MODEL:NUMBER": refs.version,
    "PROJECT/ENVIRONMENT": refs.place,
    "PROJECT/ENVIRONMENT/ENDPOINT": refs.endpoint,
}
OURS = re.compile(r"https?://(?:placet\.example|localhost:8000)(?=/|$)|\$PLACET(?=/)")
ROUTE = re.compile(r"([A-Z]+(?:\|[A-Z]+)*) +(/\S*)")


def shown(*languages: str) -> list[Block]:
    """Return the blocks that are not those of a recipe."""
    return [block for block in every(*languages) if not block.page.startswith(RECIPES)]


def typed() -> list[Any]:
    """Return every command that somebody is to type, as a case."""
    return [
        pytest.param(block, command, id=f"{block}-{' '.join(command.words)[:60]}")
        for block in shown("sh", "console")
        for line in lines(block)
        for command in commands(line)
        if command.words
    ]


def test_every_block_says_its_language() -> None:
    """What is output, or drawn, is ``text``. An indented block cannot say it."""
    assert [str(b) for b in shown() if b.language not in LANGUAGES] == []
    assert [str(b) for b in every() if b.language not in LANGUAGES | {"diff", "html"}] == []


@pytest.fixture(autouse=True)
def nothing_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is parsed is not run, and the files that it names lie in a folder of the test's."""
    monkeypatch.setattr(TyperCommand, "invoke", understood, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("block", "command"), typed())
def test_a_command_is_one_that_there_is(
    block: Block, command: Command, pytestconfig: pytest.Config
) -> None:
    take(block, command, pytestconfig)


def take(block: Block, command: Command, pytestconfig: pytest.Config) -> None:
    """Have the parser of its program take a command."""
    program, *words = command.words
    for key in (word for word in words if re.fullmatch(r"\w+\.pub", word)):
        Path(key).touch()  # one that whoever types this has
    match [program.removeprefix(".venv/bin/").removeprefix("bin/"), *words]:
        case ["placet", "--install-completion"]:
            assert "--install-completion" in options(placet_client.cli.app)
        case ["placet", *rest]:
            parse(placet_client.cli.app, rest)
        case ["placet-agent", *rest]:
            parse(placet_agent.cli.app, rest)
        case ["python", "manage.py", name, *rest]:
            manage(name, rest)
        case ["python", "-m", "placet_verify", *rest]:
            verifier().parse_args(rest)
        case ["python", "-m", "pytest", *rest]:
            look(rest, pytestconfig)
        case ["make", target, *rest]:
            make(target, rest, pytestconfig)
        case ["curl", *rest]:
            ask(rest, block.page)
        case ["python3", "-m", "venv", _] | ["python", "examples/breast_cancer.py", "small", _]:
            pass
        case ["python", "examples/samples.py", _]:
            pass
        case ["bootstrap", kind]:
            assert (ROOT / "requirements" / f"{kind}.txt").exists()
        case ["docker", "compose", "up" | "logs", *rest]:
            services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
            assert {word for word in rest if not word.startswith("-")} <= set(services)
        case [name, *_]:
            assert name in FOREIGN, f"{block}: there is no {name}"
    for word in command.words:
        named(word)


def understood(command: Any, context: Any) -> None:
    """Stand in for a command of typer that was parsed: read the references, do nothing."""
    for parameter in command.params:
        value = context.params.get(parameter.name)
        if isinstance(value, str) and (reader := REFERENCES.get(parameter.metavar)):
            reader(re.sub(r"\$\w+", "1", value))


def parse(app: typer.Typer, words: list[str]) -> None:
    """Have typer take the words."""
    typer.main.get_command(app).main(args=words, prog_name="placet", standalone_mode=False)


def options(app: typer.Typer) -> set[str]:
    """Return the options that stand before any noun."""
    return {name for p in typer.main.get_command(app).params for name in p.opts}


def manage(name: str, words: list[str]) -> None:
    """Have a management command take the words."""
    load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(
        words
    )


def look(words: list[str], config: pytest.Config) -> None:
    """Have pytest take the words; files and functions that they name are there."""
    found = config._parser.parse(words)
    for path in found.file_or_dir:
        file, _, test = path.partition("::")
        assert (ROOT / file).exists(), path
        assert f"def {test}" in (ROOT / file).read_text() if test else True, path


def make(target: str, words: list[str], config: pytest.Config) -> None:
    """Find the target, and have what takes its ``ARGS`` take them."""
    text = (ROOT / "Makefile").read_text()
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found, f"make {target}"
    for word in words:
        name, _, value = word.partition("=")
        assert name == "ARGS" and "$(ARGS)" in found[1], word
        if command := re.search(r"manage\.py (\w+) \$\(ARGS\)", found[1]):
            manage(command[1], value.split())
        else:
            look(value.split(), config)


def ask(words: list[str], page: str) -> None:
    """Find the route that curl asks, by its method."""
    known = ArgumentParser(exit_on_error=False)
    known.add_argument("address")
    known.add_argument("-X", "--request")
    known.add_argument("-s", "--silent", action="store_true")
    known.add_argument("-d", "--json", "--data-binary", dest="body")
    for name in ("-H", "-o", "-w"):
        known.add_argument(name, action="append")
    found = known.parse_args(words)
    method = found.request or ("POST" if found.body else "GET")
    path = OURS.sub("", filled(found.address, page))
    assert answered(method, path), f"{method} {path}"


def filled(text: str, page: str) -> str:
    """Return the text with the variables that a page sets before."""
    known = dict(
        variable
        for block in shown("sh")
        for line in lines(block)
        for command in commands(line)
        for variable in command.variables
        if block.page == page and not command.words
    )
    while text != (text := re.sub(r"\$(\w+)", lambda name: known.get(name[1], name[0]), text)):
        pass
    return text


@functools.cache
def patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Return every method and route of the URL configuration."""
    return [
        (method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route))))
        for method, route in routes()
    ]


def answered(method: str, path: str, *, below: bool = False) -> bool:
    """Tell whether there is such a route, or with ``below`` one that begins so."""
    path = path.partition("?")[0]
    if below and any(route.startswith(f"{path}/") for _, route in routes()):
        return True
    return any(method == known and route.fullmatch(path) for known, route in patterns())


def named(word: str) -> None:
    """Find the file of the tree, or the address of a server of ours, that a word is."""
    for part in [word.removeprefix("@"), *re.findall(r"(?<==)\S+", word)]:
        brace = re.match(r"(.*)\{(.*)\}(.*)", part)
        every_one = [brace[1] + x + brace[3] for x in brace[2].split(",")] if brace else [part]
        for one in every_one:
            top = one.partition("/")
            if top[1] and top[0] and (ROOT / top[0]).is_dir() and not one.startswith("."):
                assert (ROOT / one.partition("::")[0]).exists(), one
        if found := OURS.match(part):
            path = part[found.end() :]
            assert path in ("", "/") or answered("GET", path, below=True) or "/api/" in path, part


def test_a_route_that_a_guide_lists_is_there() -> None:
    missing = []
    for block in shown("text"):
        for methods, path in ROUTE.findall(block.text):
            for method in methods.split("|"):
                if not answered(method, re.sub(r"\{\w+\}", "x", path)):
                    missing.append(f"{block}: {method} {path}")
    assert missing == []


@pytest.mark.parametrize("page", sorted({block.page for block in shown("sh")}))
def test_variables_that_a_page_sets_make_a_configuration(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a secret of its own in place of each ``…``."""
    settings = {f"PLACET_{name.upper()}" for name in Config.model_fields}
    for name in settings:
        monkeypatch.delenv(name, raising=False)
    for block in shown("sh"):
        alone = [c for line in lines(block) for c in commands(line)] if block.page == page else []
        for name, value in [pair for command in alone for pair in command.variables]:
            if name.startswith("PLACET_") and not any(command.words for command in alone):
                assert name in settings | {"PLACET_COLLECTED"}, name
                monkeypatch.setenv(name, value.replace("…", secrets.token_urlsafe(64)))
    Config()


# JSON and YAML


def step(document: Mapping[str, Any]) -> None:
    """Take a step as a canary has it."""
    plan_document({"strategy": "canary", "steps": [{"set_weight": 5}, dict(document)]})


def release(document: Mapping[str, Any]) -> None:
    """Take what asks for a release, with its plan and its serving configuration."""
    NewReleaseSerializer(data=dict(document)).is_valid(raise_exception=True)
    plan_document(document["plan"])
    serving_document(document["serving"])


def signature(document: Mapping[str, Any]) -> None:
    """Take a model's inputs and outputs."""
    assert signature_faults(dict(document)) == []


def refusal(document: Mapping[str, Any]) -> None:
    """Take what a draft that lacks something is answered, as far as it is shown."""
    assert document["code"] == NotReady.code
    assert all(set(error) == {"pointer", "detail"} for error in document["errors"])


def envelope(document: Mapping[str, Any]) -> None:
    """Take a DSSE envelope."""
    text = base64.b64encode(b"placet").decode()
    dsse.Envelope.from_json(json.dumps(document).replace('"base64"', f'"{text}"'))


def keys(document: Mapping[str, Any]) -> None:
    """Take the list of keys, when a root has signed it."""
    root, public = PrivateKey.generate(), PublicKey(bytes(32))
    entries = [{**k, "id": public.id, "public": public.to_base64()} for k in document["keys"]]
    payload = canonical.dumps({**document, "keys": entries})
    KeyRing.open(dsse.sign(dsse.KEYS, payload, root).to_json(), root.public)


# By the first member that tells. A document of another kind needs to say here who reads it.
READERS: dict[str, Callable[[Any], Any]] = {
    "strategy": plan_document,
    "analysis": step,
    "guard": lambda document: plan_document({"strategy": "canary", **document}),
    "model": release,
    "serving": lambda document: serving_document(document["serving"]),
    "verdict": lambda document: NewDecisionSerializer(data=document).is_valid(raise_exception=True),
    "inputs": signature,
    "code": refusal,
    "payload": envelope,
    "keys": keys,
}


@pytest.mark.parametrize("block", shown("json"), ids=str)
def test_a_document_in_json_is_taken_by_who_reads_it(block: Block) -> None:
    document = json.loads(block.text)
    reader = next((READERS[name] for name in READERS if name in document), None)
    assert reader, f"{block}: who reads {sorted(document)}?"
    reader(document)


@pytest.mark.parametrize("block", shown("yaml"), ids=str)
def test_a_document_in_yaml_is_taken_by_who_reads_it(
    block: Block, pytestconfig: pytest.Config
) -> None:
    """A policy or a part of one; the jobs of a pipeline; what Prometheus is told."""
    found, gates = yaml.safe_load(block.text), "  - {gate: approvals, role: reviewer, count: 1}\n"
    if isinstance(found, list):
        policies.parse("version: 1\ngates:\n" + block.text)
    elif {"break_glass", "pass_over_analyses"} & found.keys():
        policies.parse(f"version: 1\ngates:\n{gates}{block.text}")
    elif "gates" in found:
        policies.parse(block.text)
    elif "scrape_configs" in found:
        folder = ROOT / "platform/deploy/observability"
        assert all((folder / name).exists() for name in found["rule_files"])
        assert {job["job_name"] for job in found["scrape_configs"]} == {"placet"}
    else:
        for job in found.values():
            for command in [c for line in job["script"] for c in commands(line) if c.words]:
                take(block, command, pytestconfig)


# Python


@pytest.mark.parametrize("block", shown("python"), ids=str)
def test_python_names_only_what_there_is(block: Block) -> None:
    """A piece of a file stands there so; what uses the SDK calls what it has, as it takes it."""
    tree = ast.parse(block.text)
    first, _, body = block.text.partition("\n")
    if first.startswith("# ") and first.endswith(".py"):
        assert body.strip() in (ROOT / first[2:]).read_text()
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert [a.name for a in node.names if not hasattr(module, a.name)] == []
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("placet."):
            path = ast.unparse(node.func).split(".")[1:]
            given = {str(word.arg): None for word in node.keywords}
            with Client("http://localhost:8000", "plc_x") as placet:
                method = functools.reduce(getattr, path, placet)
                inspect.signature(method).bind(*node.args, **given)
