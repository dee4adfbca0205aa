"""One reader for all YAML: what would cost more than its length, or call something, is refused."""

import io
import time

import pytest

from apps.governance.policies import PolicyFault
from apps.governance.policies import parse as policy
from apps.registry.cards import CardError
from apps.registry.cards import parse as card
from apps.registry.errors import FormatUnknown
from apps.registry.formats import Files, derive
from placet.kernel.yaml_text import YamlFault, read

BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
LOOP = "service: &a [*a]\n"


def test_plain_values_come_with_their_lines() -> None:
    found = read("a: 1\nb:\n  - {c: yes, d: null}\n  - 2.5\n'1': \"x\\n\"\nwhen: 2026-01-02\n")
    assert found.value == {
        "a": 1,
        "b": [{"c": True, "d": None}, 2.5],
        "1": "x\n",
        "when": "2026-01-02",
    }
    assert found.lines["a",] == 1
    assert found.lines["b", 0, "d"] == 3
    assert read("").value is None
    assert read('\ufeffa: "\\ufeff"').value == {"a": "\ufeff"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (BOMB, 1, "anchor or alias"),
        (LOOP, 1, "anchor or alias"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "a tag"),
        ("a: {b: 1}\n<<: {a: 2}\n", 2, "without a plain name"),
        ("a: 1\na: 2\n", 2, "stands twice"),
        ("? [a]\n: 1\n", 1, "without a plain name"),
        ("a: " + "[" * 30 + "]" * 30, 1, "deeper than 20"),
        ("[" * 100_000, 1, "deeper than 20"),
        ("- x\n" * 20_001, 20_000, "more than 20000"),
        ("a: " + "9" * 101, 1, "too large a number"),
        ("a: " + ":".join(["59"] * 50_000), 1, "too large a number"),
        ("a: 9007199254740992", 1, "too large a number"),
        ("a: .inf", 1, "no number"),
        ("a: .nan", 1, "no number"),
        ('a: "\\0"', 1, "control character"),
        ('"a\\0": 1', 1, "control character"),
        ("a: [", 1, "node content"),
        ("a: b: c", 1, "not allowed in this context"),
        ("\x07", 1, "not YAML"),
        ('a:\n\ufeff"k: v\nb: 1\nw: z"\n', 2, "byte order mark"),
        ("\ufeff\ufeffa: 1", 1, "byte order mark"),
        ("a: b\ufeffc", 1, "byte order mark"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line_and_at_once(
    text: str, line: int, said: str
) -> None:
    begun = time.process_time()
    with pytest.raises(YamlFault, match=said) as refused:
        read(text)
    assert refused.value.line == line
    assert time.process_time() - begun < 1


def test_half_of_a_pair_is_refused() -> None:
    with pytest.raises(YamlFault):
        read('a: "\\ud800"')


@pytest.mark.parametrize("bomb", [BOMB, LOOP], ids=["bomb", "loop"])
def test_everybody_who_reads_yaml_refuses_aliases_in_words(bomb: str) -> None:
    raw = bomb.encode()
    files = {"MLmodel": raw, "bentofile.yaml": raw}
    for name, path in (("mlflow", "MLmodel"), ("bentoml", "bentofile.yaml")):
        one = Files({path: len(raw)}, lambda p, _: files[p], lambda p: io.BytesIO(files[p]))
        with pytest.raises(FormatUnknown, match="anchor or alias"):
            derive(name, one)
    with pytest.raises(PolicyFault, match="anchor or alias"):
        policy(bomb)
    with pytest.raises(CardError, match="anchor or alias"):
        card(f"---\n{bomb}---\n# Text\n")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u0085"])
def test_directives_are_counted_before_each_is_held_against_all_before(end: str) -> None:
    with pytest.raises(YamlFault, match="more than 20 directives"):
        read(end.join(["%TAG !a! b"] * 21) + f"{end}--- 1{end}")
    assert read("text: |\n" + "  %\n" * 99).value == {"text": "%\n" * 99}
