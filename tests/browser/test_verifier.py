"""The verifier for browsers, opened from a local file: it says what the one in Python says."""

import base64
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from placet_verify import canonical
from placet_verify.__main__ import main
from placet_verify.bundle import bundle
from placet_verify.errors import Malformed
from placet_verify.log.seals import SEALED_KINDS
from placet_verify_js import page as verifier_page
from tests.support.offline import Papers, Second, both, python_says

pytestmark = pytest.mark.browser
EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples"
ROOT = (EXAMPLE / "root.pub").read_bytes()
OLD = Path(__file__).resolve().parents[1] / "bundles"


# --- the example in the docs ----------------------------------------------------------------------


def test_both_say_the_same_of_the_example_line_by_line(
    second: Second, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(EXAMPLE / "release-bundle.zip"), "--root", str(EXAMPLE / "root.pub")]
    assert main(["bundle", *arguments]) == 0
    *said, _ok = capsys.readouterr().out.splitlines()
    (answer,) = second.says(bundle.read(EXAMPLE / "release-bundle.zip"), ROOT, {})
    assert (answer.code, list(answer.lines)) == ("", said)
    assert len(said) > 20


def test_both_say_the_same_of_a_bundle_from_before_there_were_receipts(second: Second) -> None:
    files, root = bundle.read(OLD / "format-1.zip"), (OLD / "format-1.pub").read_bytes()
    (answer,) = second.says(files, root, {})
    assert answer == python_says(files, root)
    assert answer.code == ""
    assert answer.lines[-1].endswith("a bundle of format 1 has no receipts")
    (renamed,) = second.says(files, root, {"README.txt": bundle.README_TEXT.encode()})
    assert renamed.code == "malformed"


def test_both_call_things_by_their_names_where_proven_bytes_have_plain_ones(
    second: Second,
) -> None:
    asked = Papers().asked
    for number, name, count in ((12, "churn", 2), (1e3, "c", 2), (1.5, "\x1b[2J", 0), ("7", 7, 0)):
        rows = {
            "governance.release:1": {"id": asked.release, "number": number},
            "serving.endpoint:1": {"id": asked.endpoint, "name": name},
        }
        event = {"kind": "x.v1", "at": "2026-11-25T12:00:00.000000Z", "salt": "A", "after": rows}
        papers = Papers(more_events=[event])
        answer = both(second, papers.files(), papers.root)
        names = [line for line in answer.lines if line.startswith("name: ")]
        assert len(names) == count, names


def test_both_refuse_every_one_of_200_random_flips_in_the_example(second: Second) -> None:
    files, chance, cases = bundle.read(EXAMPLE / "release-bundle.zip"), random.Random(1), []
    for _ in range(200):
        name = chance.choice(sorted(files))
        raw = bytearray(files[name])
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        cases.append({name: bytes(raw)})
    for case, answer in zip(cases, second.says(files, ROOT, *cases), strict=True):
        assert answer.code, case
        assert python_says(files | case, ROOT).code, case


UNZIP = """async (zips) => {
  const seen = [];
  for (const text of zips) {
    try {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const files = [...(await placetVerify.readZip(bytes)).entries()];
      seen.push(files.map(([name, content]) => [name, Array.from(content)]));
    } catch (fault) {
      seen.push(fault.code);
    }
  }
  return seen;
}"""


def unzipped(second: Second, *zips: bytes) -> list[Any]:
    texts = [base64.b64encode(one).decode("ascii") for one in zips]
    found = second.page.evaluate(UNZIP, texts)
    return [
        one if isinstance(one, str) else {name: bytes(raw) for name, raw in one} for one in found
    ]


def test_no_flip_in_the_zip_itself_brings_in_other_files(second: Second) -> None:
    whole, chance = (EXAMPLE / "release-bundle.zip").read_bytes(), random.Random(2)
    flipped = []
    for _ in range(200):
        raw = bytearray(whole)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        flipped.append(bytes(raw))
    files, *found = unzipped(second, whole, *flipped)
    assert files == bundle.read(EXAMPLE / "release-bundle.zip")
    # of what a zip says only who packed it and the file's mode on a disk is not looked at
    assert all(one in ("malformed", files) for one in found)
    assert found.count("malformed") > 185


def test_a_zip_with_anything_around_its_files_is_refused(second: Second) -> None:
    whole = (EXAMPLE / "release-bundle.zip").read_bytes()
    odd = [b"", whole[:-1], whole + b"\0", b"\0" + whole, whole[: len(whole) // 2], whole + whole]
    assert unzipped(second, *odd) == ["malformed"] * len(odd)


def test_they_know_the_same_events_as_sealed(second: Second) -> None:
    assert set(second.page.evaluate("placetVerify.SEALED_KINDS")) == SEALED_KINDS


READ = """(documents) => documents.map((text) => {
  try {
    const bytes = Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    return placetVerify.canonical(placetVerify.parseJson(bytes));
  } catch (fault) {
    return fault.code ?? String(fault);
  }
})"""
ODD = [
    b'{"a":1,"a":2}',
    b'{"a":{"b":1,"\\u0062":2}}',
    b"1e400",
    b"-1e400",
    b"9007199254740993",
    b"12345678901234567890",
    b"-0",
    b"-0.0",
    b"1.0",
    b"1E2",
    b"1e-7",
    b"0.000001",
    b"1e21",
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"0x1",
    b"NaN",
    b"Infinity",
    b"-",
    b"tru",
    b"True",
    b"nulls",
    b"'a'",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\\u00E9"',
    b'"\xc3\xa9"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b"\xef\xbb\xbf{}",
    b'"\t"',
    b'"\x7f"',
    b'"\\x41"',
    b'"\\u12"',
    b'"\\/"',
    b'"a',
    b"[1,]",
    b"[,1]",
    b'{"a":1,}',
    b"{a:1}",
    b'{"a"}',
    b"[1 2]",
    b"[] []",
    b"",
    b" ",
    b" [ ] ",
    b"\x0b[]",
    b"[]\x00",
    b'{"__proto__":{"a":1}}',
    b'{"toString":1}',
    b'{"10":1,"9":2}',
    '{"\U0001f600":1,"\ue000":2,"z":3,"\xe9":4}'.encode(),
    b"/**/1",
    b"1//",
    b"[" * 600 + b"]",
]


def test_both_read_and_write_json_alike(second: Second) -> None:
    ours = []
    for document in ODD:
        try:
            ours.append(canonical.dumps(canonical.loads(document)).decode())
        except Malformed as refusal:
            ours.append(refusal.code)
    theirs = second.page.evaluate(READ, [document.hex() for document in ODD])
    assert list(zip(ODD, theirs, strict=True)) == list(zip(ODD, ours, strict=True))
    assert 25 < ours.count("malformed") < 45


# --- the page -------------------------------------------------------------------------------------


def shown(page: Page, kind: str) -> None:
    """Wait for the verdict, which is of this kind, and find it as the page's own style shows it."""
    page.wait_for_function(
        "kind => document.querySelector('#verdict').dataset.kind === kind", arg=kind
    )


def lit(page: Page) -> list[str]:
    """Return how the page answers its three questions: authentic, approved, still valid."""
    kinds = page.evaluate(
        "[...document.querySelectorAll('#lights > div')].map(d => d.dataset.kind)"
    )
    return list(kinds)


LIGHTS = "([lines, facts]) => placetVerify.lights(lines, facts).map(([, kind]) => kind)"
QUORUM = ["proved", "quorum: the policy's approvals are met, counted from these decisions alone"]
GLASS = ["proved", "quorum: not the policy's approvals, but its break-glass of 2 people, counted"]
PERMIT = ["proved", "release rel_1: … of risk, to be started until 2026-11-30T00:00:00Z"]
BEFORE, AFTER = 1_700_000_000_000, 1_900_000_000_000  # ms


@pytest.mark.parametrize(
    ("lines", "now", "kinds"),
    [
        ([PERMIT, QUORUM], BEFORE, ["proved", "proved", "unchecked"]),
        ([PERMIT, QUORUM], AFTER, ["proved", "proved", "unchecked"]),
        ([PERMIT, GLASS], BEFORE, ["proved", "contradicted", "unchecked"]),
        ([PERMIT, QUORUM, ["recalled", "recalled: …"]], BEFORE, ["proved", "proved", "recalled"]),
        (
            [PERMIT, QUORUM, ["contradicted", "contradicted: …"]],
            BEFORE,
            ["proved", "proved", "contradicted"],
        ),
    ],
)
def test_three_lights_say_it_in_short(
    second: Second, lines: list[list[str]], now: int, kinds: list[str]
) -> None:
    facts = {"rooted": True, "refused": False, "now": now}
    assert second.page.evaluate(LIGHTS, [lines, facts]) == kinds


def spoilt(folder: Path) -> Path:
    """Return the example with one letter of its policy's signature changed."""
    made = folder / "release-forged.zip"
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in bundle.read(EXAMPLE / "release-bundle.zip").items():
            if name == "permit.json":
                permit = json.loads(content)
                signature = permit["policy"]["envelope"]["signatures"][0]
                signature["sig"] = base64.b64encode(bytes(64)).decode("ascii")
                content = canonical.dumps(permit)
            archive.writestr(zipfile.ZipInfo(name), content)
    return made


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_an_outsider_reads_what_was_proved_and_what_was_not(
    chromium: Browser, tmp_path: Path, pictures: Path, width: int, theme: str
) -> None:
    size = {"width": width, "height": 900}
    second = Second(chromium, tmp_path, viewport=size, color_scheme=theme)
    page = second.page
    for step, verdict in enumerate(("alone", "accepted", "refused")):
        if verdict == "refused":
            page.set_input_files("#bundle", spoilt(tmp_path))
            shown(page, "refused")
            assert "permit.json: the signature does" in page.inner_text("#lines li:last-child")
            assert lit(page) == ["refused", "unchecked", "unchecked"]
        elif verdict == "alone":
            page.set_input_files("#bundle", EXAMPLE / "release-bundle.zip")
            shown(page, "unchecked")
            assert "came with the bundle" in page.inner_text("#lines li:first-child")
            told = "whose they are is not shown without the root key"
            assert told in page.inner_text("#verdict")
            assert lit(page) == ["unchecked", "unchecked", "unchecked"]
        else:
            page.set_input_files("#root", EXAMPLE / "root.pub")
            shown(page, "proved")
            assert page.locator("#lines li[data-kind=unchecked]").count() == 4
            assert page.inner_text("#root-name") == "root.pub"
            assert lit(page) == ["proved", "proved", "unchecked"]
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if step:
            name = f"verifier-{verdict}-{theme}-{width}.png"
            page.screenshot(path=pictures / name, full_page=True)
    assert (second.errors, second.requests) == ([], [second.file.as_uri()])
    second.context.close()


def test_files_are_dropped_and_a_bento_compared(second: Second, tmp_path: Path) -> None:
    page = second.page
    page.evaluate(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, text] of files) {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            data.items.add(new File([bytes], name));
          }
          document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
        }""",
        [
            (name, base64.b64encode(content).decode("ascii"))
            for name, content in {
                "root.pub": ROOT,
                "bento.tar": b"another",
                "release-1.zip": (EXAMPLE / "release-bundle.zip").read_bytes(),
            }.items()
        ],
    )
    shown(page, "refused")
    last = page.inner_text("#lines li:last-child")
    assert "refused" in last
    assert "bento.tar is not the Bento of this release" in last


def test_the_page_is_used_by_keyboard_and_runs_nothing_of_others(
    chromium: Browser, tmp_path: Path
) -> None:
    page = Second(chromium, tmp_path).page
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached == ["bundle", "root", "bento"]
    page.evaluate(
        """() => {
          globalThis.kept = new Set();
          const keep = ({effectiveDirective}) => kept.add(effectiveDirective.split("-")[0]);
          document.addEventListener("securitypolicyviolation", keep);
          const script = document.createElement("script");
          script.textContent = "globalThis.stranger = true";
          document.body.append(script);
          fetch("https://placet.example/").catch(() => {});
        }"""
    )
    page.wait_for_function("kept.has('script') && kept.has('connect')")
    assert page.evaluate("globalThis.stranger === undefined")
    page.context.close()


def test_the_same_sources_give_the_same_file(tmp_path: Path) -> None:
    made = tmp_path / "again.html"
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root / "platform")}
    command = [sys.executable, "-m", "placet_verify_js", str(made)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert made.read_bytes() == verifier_page()
