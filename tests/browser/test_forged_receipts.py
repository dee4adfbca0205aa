"""What nodes signed, and recalls, in a bundle: both verifiers say the same of it, word for word,
and refuse each forgery for one reason.

Forged by a node, by somebody with another node's key, and by the platform itself, which has the
log's key and the ``decision`` key: what it cannot make is a node's signature.
"""

import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from placet_verify import canonical
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import RanReceipt, RecalledNames
from tests.support.offline import Answer, Files, Papers, Second, both, python_says, resigned
from tests.support.permits import NOON, digest_of
from tests.support.receipts import (
    BENTO,
    ENDED,
    ENDPOINT,
    HOUR,
    PLACED,
    RECALLED,
    RELEASE,
    STARTED,
    OnNodes,
)

pytestmark = pytest.mark.browser
Spoil = Callable[[OnNodes], Any]
SECOND = timedelta(seconds=1)
ELSE = digest_of("another Bento")


def bundled(told: Spoil) -> tuple[Papers, Files]:
    papers = Papers()
    on_nodes = OnNodes(papers.keys)
    told(on_nodes)
    papers.more_events = on_nodes.events
    return papers, papers.files()


def judged(second: Second, told: Spoil) -> Answer:
    papers, files = bundled(told)
    answer = both(second, files, papers.root)
    if answer.code not in ("", "malformed"):  # what is wrong with a form each says in its own words
        assert answer.lines[-1].endswith(python_says(files, papers.root).lines[-1])
    return answer


# --- what is genuine, and what it says ------------------------------------------------------------


def ran(nodes: OnNodes, **changes: Any) -> None:
    nodes.on_a_node().ran(**changes)


def twice(start: Any, end: Any) -> Spoil:
    def told(nodes: OnNodes) -> None:
        ran(nodes)
        nodes.ran(started_at=start, ended_at=end)

    return told


def confirmed(nodes: OnNodes, **changes: Any) -> None:
    ran(nodes)
    nodes.stopped(nodes.recalled(), at=ENDED + SECOND, **changes)


def ran_on_for_a_moment(nodes: OnNodes) -> None:
    ran(nodes, ended_at=RECALLED + SECOND * 0.8)
    nodes.stopped(nodes.recalled(), at=ENDED + SECOND)


def ran_on(nodes: OnNodes) -> None:
    confirmed(nodes)
    nodes.ran(started_at=ENDED, ended_at=ENDED + HOUR)


def ran_on_and_then_stopped(nodes: OnNodes) -> None:
    ran(nodes)
    recall = nodes.recalled()
    nodes.stopped(recall, at=ENDED - HOUR)
    nodes.stopped(recall, at=ENDED + HOUR)


def silent(nodes: OnNodes) -> None:
    nodes.on_a_node()
    nodes.recalled()


def no_node(nodes: OnNodes) -> None:
    nodes.made()
    nodes.placed()
    nodes.recalled()


def never_ran(nodes: OnNodes) -> None:
    nodes.made()
    recall = nodes.recalled(reached=False)
    nodes.reached(recall.recall, RELEASE, revisions=[])


def lifted(nodes: OnNodes) -> None:
    ran(nodes)
    nodes.lifted(nodes.recalled())


def earlier_and_lifted(nodes: OnNodes) -> None:
    recall = nodes.recalled(names=RecalledNames.of(bentos=[BENTO], releases=["rel_0"]))
    nodes.lifted(recall)


def denied_by_the_platform(nodes: OnNodes) -> None:
    confirmed(nodes)
    nodes.reached("rcl_1", RELEASE, "contradicted", state="contradicted")


def set_up_anew(nodes: OnNodes) -> None:
    """Let the host be set up anew: its node joins with another key."""
    ran(nodes)
    fresh = PrivateKey.generate()
    nodes.joined(key=fresh)
    nodes.ran(fresh, started_at=ENDED + HOUR, ended_at=ENDED + 2 * HOUR)


def of_a_time_to_come(nodes: OnNodes) -> None:
    ran(nodes)
    nodes.stopped(nodes.recalled(), at=ENDED + HOUR, taken=ENDED, confirms=False)


def before_the_recall(nodes: OnNodes) -> None:
    ran(nodes)
    nodes.stopped(nodes.recalled(), at=RECALLED - HOUR, taken=ENDED, confirms=False)


TOLD: list[tuple[str, Spoil, str]] = [
    ("nothing", lambda nodes: None, "not checked: what nodes really ran: no event here"),
    ("no receipt", lambda nodes: nodes.on_a_node(), "node nod_1 has signed no receipt of it"),
    ("no node", lambda nodes: nodes.placed(), "rev_1 ran: no event here shows a node for it"),
    (
        "a run",
        ran,
        "ran: rev_1 from 2026-11-25T14:00:00.000000Z to 2026-11-25T17:00:00.000000Z,"
        " signed by node nod_1, event ",
    ),
    ("whose key", ran, "not checked: whose host a node is"),
    ("its end", ran, "not checked: what nodes did beyond what they signed"),
    ("yet to come", lambda nodes: ran(nodes, taken=ENDED - HOUR), "which was yet to come at event"),
    (
        "before it was there",
        lambda nodes: ran(nodes, started_at=PLACED - HOUR),
        "contradicted: node nod_1 signed that rev_1 ran from 2026-11-25T13:00:00.000000Z on, "
        "before",
    ),
    (
        "before people decided",
        lambda nodes: ran(nodes, started_at=NOON),
        "on, before it was approved at 2026-11-25T13:00:00.000000Z",
    ),
    ("a run after a run", twice(ENDED + SECOND, ENDED + HOUR), ""),
    ("two runs at once", twice(STARTED + HOUR, ENDED + HOUR), "that overlap: from"),
    ("a run in a run", twice(STARTED + HOUR, ENDED - HOUR), "that overlap: from"),
    ("confirmed", confirmed, "confirmed: recall rcl_1: node nod_1 signed at"),
    ("how long it ran on", confirmed, "recall rcl_1: rev_1 ran 3600 s longer than that"),
    (
        "less than a second",
        ran_on_for_a_moment,
        "recall rcl_1: rev_1 ran less than a second longer than that",
    ),
    ("confirmed at once", lambda nodes: confirmed(nodes, taken=ENDED + 2 * SECOND), ""),
    ("ran on", ran_on, "contradicted: recall rcl_1: node nod_1 signed at"),
    ("ran on, then stopped", ran_on_and_then_stopped, "confirmed: recall rcl_1"),
    ("silent", silent, "open: recall rcl_1: node nod_1 has not signed that nothing of it runs"),
    ("no node to sign", no_node, "open: recall rcl_1: no event here shows a node on target tgt_1"),
    ("never ran", never_ran, "never ran: recall rcl_1: it was put on no node, says event"),
    ("lifted", lifted, "lifted: by per_approver at"),
    ("lifted, and stays revoked", lifted, "recalled: bento sha256:"),
    ("an earlier recall", earlier_and_lifted, "recall: bento sha256:"),
    ("on the platform's word", denied_by_the_platform, "on the platform's word alone"),
    ("set up anew", set_up_anew, "ran: rev_1 from 2026-11-25T18:00:00.000000Z"),
    ("a receipt of tomorrow", of_a_time_to_come, "open: recall rcl_1"),
    ("a receipt of yesterday", before_the_recall, "before it was recalled"),
]


@pytest.mark.parametrize(("told", "says"), [pytest.param(*row[1:], id=row[0]) for row in TOLD])
def test_both_say_the_same_of_what_nodes_signed(second: Second, told: Spoil, says: str) -> None:
    answer = judged(second, told)
    assert answer.code == "", answer.lines[-1]
    assert any(says in line for line in answer.lines), answer.lines


def test_what_is_right_is_not_called_contradicted(second: Second) -> None:
    for told in (ran, confirmed, twice(ENDED + SECOND, ENDED + HOUR), set_up_anew, lifted):
        lines = judged(second, told).lines
        assert not [line for line in lines if line.startswith("contradicted")], told


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_an_outsider_reads_that_it_was_recalled_and_ran_on(
    chromium: Browser, tmp_path: Path, pictures: Path, width: int, theme: str
) -> None:
    papers, files = bundled(ran_on)
    with zipfile.ZipFile(tmp_path / "release-1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    (tmp_path / "root.pub").write_bytes(papers.root)
    size = {"width": width, "height": 900}
    second = Second(chromium, tmp_path, viewport=size, color_scheme=theme)
    page = second.page
    page.set_input_files("#root", tmp_path / "root.pub")
    page.set_input_files("#bundle", tmp_path / "release-1.zip")
    page.wait_for_function("kind => verdict.dataset.kind === kind", arg="recalled")
    assert "recalled since: it must not run" in page.inner_text("#verdict")
    (said,) = page.locator("#lines li[data-kind=contradicted]").all_inner_texts()
    assert "contradicted" in said
    assert "recall rcl_1: node nod_1 signed at" in said
    assert page.locator("#lines li[data-kind=recalled]").count() == 1
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"verifier-recalled-{theme}-{width}.png", full_page=True)
    assert second.errors == []
    second.context.close()


# --- forgeries ------------------------------------------------------------------------------------


def by_another_node(nodes: OnNodes) -> None:
    """Sign with the key of a node that is there as well."""
    nodes.on_a_node()
    other = PrivateKey.generate()
    nodes.joined("nod_2", "tgt_2", other)
    nodes.ran(other)


def for_another_node(nodes: OnNodes) -> None:
    """Say in one node's name, with one's own key, that one stopped."""
    nodes.on_a_node()
    other = PrivateKey.generate()
    nodes.joined("nod_2", "tgt_2", other)
    nodes.stopped(nodes.recalled(), other)


def with_a_former_key(nodes: OnNodes) -> None:
    ran(nodes)
    nodes.joined(key=PrivateKey.generate())
    nodes.ran(started_at=ENDED, ended_at=ENDED + HOUR)


def joined_afterwards(nodes: OnNodes) -> None:
    ran(nodes)
    nodes.events.append(nodes.events.pop(0))


def of_another_release(nodes: OnNodes) -> None:
    nodes.on_a_node()
    nodes.placed("rev_2", release="rel_2")
    nodes.ran(release="rel_2", revision="rev_2")


def of_another_recall(nodes: OnNodes) -> None:
    nodes.on_a_node()
    nodes.stopped(replace(nodes.recalled(), reason=""))


def a_recall_of_something_else(nodes: OnNodes) -> None:
    nodes.recalled(names=RecalledNames.of(bentos=[ELSE], releases=["rel_2"]))


def another_lift(nodes: OnNodes) -> None:
    nodes.lifted(nodes.recalled(), recall_digest=ELSE)


def lifted_twice(nodes: OnNodes) -> None:
    recall = nodes.recalled()
    nodes.lifted(recall)
    nodes.lifted(recall, by="per_reviewer")


def two_recalls_of_one_name(nodes: OnNodes) -> None:
    nodes.recalled()
    nodes.recalled(by="per_reviewer")


def confirmed_by_nobody(nodes: OnNodes) -> None:
    nodes.on_a_node()
    nodes.recalled()
    nodes.reached("rcl_1", RELEASE, "confirmed", state="confirmed")


def spelled(**changes: Any) -> Spoil:
    """Sign a receipt whose bytes are not in the exact form."""

    def told(nodes: OnNodes) -> None:
        nodes.on_a_node()
        text = nodes.ran(kept=False)
        payload = Envelope.from_json(text).payload
        for old, new in changes.items():
            payload = payload.replace(old.encode(), new)
        envelope = resigned(Envelope.from_json(text), nodes.key, payload)
        nodes.kept(envelope.to_json(), ENDED)

    return told


def a_recall_as_a_receipt(nodes: OnNodes) -> None:
    nodes.on_a_node()
    recall = nodes.recalled()
    nodes.kept(recall.sign(nodes.key).to_json(), ENDED)


def a_receipt_as_a_recall(nodes: OnNodes) -> None:
    nodes.on_a_node()
    said = RanReceipt(
        node="nod_1",
        target="tgt_1",
        endpoint=ENDPOINT,
        release=RELEASE,
        revision="rev_1",
        bento_digest=BENTO,
        started_at=STARTED,
        ended_at=ENDED,
    )
    row = {"envelope": said.sign(nodes.keys.decision).to_json()}
    nodes.note("recall.created.v1", ENDED, assurance__recall_of_x=row)


FORGED: list[tuple[str, Spoil, str]] = [
    ("another node's key", by_another_node, "bad_signature"),
    ("in another node's name", for_another_node, "bad_signature"),
    ("the platform's key", lambda n: ran(n, key=n.keys.decision), "bad_signature"),
    ("a key that was replaced", with_a_former_key, "bad_signature"),
    ("a node that nobody knows", lambda n: ran(n, node="nod_9"), "unknown_node"),
    ("joined afterwards", joined_afterwards, "unknown_node"),
    ("another target", lambda n: ran(n, target="tgt_2"), "other_target"),
    ("another release", of_another_release, "other_release"),
    ("a revision of another", lambda n: ran(n, release="rel_2"), "unknown_revision"),
    ("another revision", lambda n: ran(n, revision="rev_2"), "unknown_revision"),
    ("another endpoint", lambda n: ran(n, endpoint="end_2"), "unknown_revision"),
    ("another Bento", lambda n: ran(n, bento_digest=ELSE), "unknown_revision"),
    ("something else put there", lambda n: n.placed(bento_id=ELSE), "other_release"),
    ("another recall", of_another_recall, "other_recall"),
    ("a recall of something else", a_recall_of_something_else, "other_recall"),
    ("a lift of another", another_lift, "other_recall"),
    ("lifted twice", lifted_twice, "other_recall"),
    ("two recalls of one name", two_recalls_of_one_name, "other_recall"),
    ("a recall by a node", lambda n: n.recalled(signer=n.key), "unknown_key"),
    ("a recall by the builder", lambda n: n.recalled(signer=n.keys.build), "wrong_purpose"),
    ("what it did is kept back", lambda n: n.recalled(reached=False), "left_out"),
    ("confirmed by nobody", confirmed_by_nobody, "unproven"),
    ("a member more", spelled(**{'"node":': b'"more":1,"node":'}), "malformed"),
    ("a member twice", spelled(**{'"node":': b'"node":"nod_2","node":'}), "malformed"),
    ("it ends before it starts", spelled(**{"T17:00": b"T11:00"}), "malformed"),
    ("a time of another form", spelled(**{"T17:00:00.000000Z": b"T17:00:00Z"}), "malformed"),
    ("a recall as a receipt", a_recall_as_a_receipt, "wrong_type"),
    ("a receipt as a recall", a_receipt_as_a_recall, "wrong_type"),
]


@pytest.mark.parametrize(("spoil", "code"), [pytest.param(*row[1:], id=row[0]) for row in FORGED])
def test_both_refuse_a_forgery_for_the_same_reason(second: Second, spoil: Spoil, code: str) -> None:
    assert judged(second, spoil).code == code


# --- files changed afterwards ---------------------------------------------------------------------

Change = Callable[[Files], Files]


def receipts(change: Callable[[list[Any]], Any], name: str = "receipts.json") -> Change:
    def changed(files: Files) -> Files:
        listed = canonical.loads(files[name])
        change(listed)
        return files | {name: canonical.dumps(listed)}

    return changed


def of_another_bundle(files: Files) -> Files:
    """Put in a receipt that is good in a bundle of its own."""
    other = bundled(ran)[1]
    return files | {"receipts.json": other["receipts.json"]}


def without(*names: str) -> Change:
    return lambda files: {name: files[name] for name in files if name not in names}


CHANGED: list[tuple[str, Change, str]] = [
    ("a receipt left out", receipts(lambda found: found.clear()), "left_out"),
    ("a recall left out", receipts(lambda found: found.clear(), "recalls.json"), "left_out"),
    ("a receipt twice", receipts(lambda found: found.append(found[0])), "twice"),
    ("a receipt of elsewhere", of_another_bundle, "not_logged"),
    (
        "another key id",
        receipts(lambda f: f[0]["signatures"][0].update(keyid="0" * 16)),
        "not_logged",
    ),
    ("no envelope", receipts(lambda found: found.append({})), "malformed"),
    ("no list", lambda files: files | {"receipts.json": b"{}"}, "malformed"),
    ("spaces", lambda files: files | {"receipts.json": files["receipts.json"] + b" "}, "malformed"),
    ("no receipts", without("receipts.json"), "malformed"),
    ("no recalls", without("recalls.json"), "malformed"),
]


@pytest.mark.parametrize(("change", "code"), [pytest.param(*row[1:], id=row[0]) for row in CHANGED])
def test_both_refuse_a_changed_file_for_the_same_reason(
    second: Second, change: Change, code: str
) -> None:
    papers, files = bundled(confirmed)
    assert both(second, change(files), papers.root).code == code


def test_both_refuse_every_one_of_200_flips_in_what_nodes_signed(second: Second) -> None:
    papers, files = bundled(confirmed)
    about = ["receipts.json", "recalls.json", *[name for name in files if name > "log/8"]]
    chance, cases = random.Random(3), []
    for _ in range(200):
        name = chance.choice(sorted(about))
        raw = bytearray(files[name])
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        cases.append({name: bytes(raw)})
    for case, answer in zip(cases, second.says(files, papers.root, *cases), strict=True):
        assert answer.code, case
        assert python_says(files | case, papers.root).code, case
