"""What a generated service writes down of its predictions, on the sources that go into a Bento."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from placet_verify import capture as approved
from placet_verify.units import MAX_UNIT

TEMPLATES = Path(__file__).resolve().parents[3] / "workers" / "builder" / "templates"
SIGNATURE = {
    "inputs": [
        {"name": "age", "type": "double"},
        {"name": "name", "type": "string", "tags": ["personal"]},
        {"name": "street", "type": "string", "required": False, "tags": ["personal", "place"]},
    ],
    "outputs": [{"name": "score", "type": "double"}],
}
IDS = [str(UUID(int=n * 2**64 + n, version=4)) for n in range(1, 4001)]
ROW = {"age": 41, "name": "Ada"}


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, Any]]:
    """The templates as modules."""
    names = ("placet_capture", "placet_http", "placet_inputs")
    sys.path.insert(0, str(TEMPLATES))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(TEMPLATES))
        for name in names:
            sys.modules.pop(name, None)


class Service:
    """The HTTP side of a service whose model answers 0.5 for every row."""

    def __init__(self, sources: dict[str, Any], patch: pytest.MonkeyPatch, **settings: Any) -> None:
        capture = approved.Capture.read({"percent": 100} | settings)
        patch.setenv("PLACET_CAPTURE", capture.told({"header": "X-User"}))
        patch.setenv("PLACET_REVISION", "rev_1")
        self.records: list[dict[str, Any]] = []
        self.capture = sources["placet_capture"].Capture(SIGNATURE, self.records.append)
        app = sources["placet_http"].PredictApp({"signature": SIGNATURE}, self.capture)
        app.model = self
        self.app = sources["placet_http"].Gate(app, {})

    def predict(self, rows: list[Any]) -> list[Any]:
        return [0.5 for _ in rows]

    def ask(self, body: Any, *headers: tuple[str, str]) -> tuple[int, str]:
        """Return status and prediction id of one request."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        scope = {"type": "http", "path": "/predict", "method": "POST", "headers": raw}
        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"])[b"x-placet-prediction"].decode()


class TestWhatIsWritten:
    def test_a_prediction_has_the_id_of_its_answer_and_no_personal_column(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(sources, monkeypatch)
        status, given = service.ask(
            ROW, ("X-Request-Id", "mine"), ("X-Request-Id", IDS[0]), ("X-User", "u7")
        )
        assert (status, given) == (200, IDS[0])  # the proxy's is the last; a client's is none
        (record,) = service.records
        assert (record["id"], record["unit"], record["rows"]) == (IDS[0], "u7", 1)
        assert json.loads(record["inputs"]) == [{"age": 41, "name": "[redacted]"}]
        assert json.loads(record["outputs"]) == [0.5]
        assert "Ada" not in json.dumps(record)
        assert record["revision"] == "rev_1" and record["ms"] >= 0
        assert record["cohort"] == ""
        service.ask(ROW, ("X-Placet-Cohort", "overridden"))
        assert service.records[1]["cohort"] == "overridden"

    def test_an_id_is_made_where_no_proxy_gave_one(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(sources, monkeypatch)
        _, given = service.ask(ROW, ("X-Request-Id", "../../etc"))
        assert UUID(given).version == 4
        assert service.records[0]["id"] == given

    def test_other_tags_and_all_rows(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(sources, monkeypatch, redact=["place"])
        service.ask({"instances": [ROW, {**ROW, "street": "Elm"}]})
        assert json.loads(service.records[0]["inputs"]) == [
            ROW,
            {**ROW, "street": "[redacted]"},
        ]
        assert json.loads(service.records[0]["outputs"]) == [0.5, 0.5]

    def test_what_is_too_large_leaves_the_fact_alone(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(sources, monkeypatch, max_bytes=100)
        service.ask({"instances": [ROW] * 20})
        service.ask(ROW)
        assert [(r["rows"], r["inputs"] is None) for r in service.records] == [
            (20, True),
            (1, False),
        ]

    def test_refused_input_is_no_prediction(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(sources, monkeypatch)
        assert service.ask({"age": "x"})[0] == 400
        assert service.records == []

    def test_a_capture_that_fails_fails_no_request(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(sources, monkeypatch)
        monkeypatch.setattr(service.capture, "_log", None)
        assert service.ask(ROW)[0] == 200

    @pytest.mark.parametrize("unit", ["", "x" * (MAX_UNIT + 1), "gr\u00fcn"])
    def test_what_the_proxy_would_not_take_is_no_unit(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch, unit: str
    ) -> None:
        service = Service(sources, monkeypatch)
        service.ask(ROW, ("X-User", unit))
        service.ask(ROW, ("X-User", "a"), ("X-User", "b"))
        assert [record["unit"] for record in service.records] == [None, None]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ({"json": "/user/id"}, "7"),
        ({"json": "/rows/1"}, "b"),
        ({"json": "/rows/9"}, None),
        ({"json": "/user"}, None),
        ({"cookie": "session"}, "c1"),
        ({"cookie": "other"}, None),
        (None, None),
    ],
)
def test_units_in_bodies_and_cookies(
    sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch, unit: Any, expected: str | None
) -> None:
    records: list[Any] = []
    monkeypatch.setenv("PLACET_CAPTURE", approved.Capture(100).told(unit))
    capture = sources["placet_capture"].Capture(SIGNATURE, records.append)
    body = json.dumps({"user": {"id": 7}, "rows": ["a", "b"]}).encode()
    headers = [(b"cookie", b"a=1; session=c1")]
    capture.write(IDS[0], headers, body, [ROW], [1], 0.1)
    assert records[0]["unit"] == expected


class TestSampling:
    def test_service_and_verifier_draw_the_same_share(self, sources: dict[str, Any]) -> None:
        drawn = [i for i in IDS if sources["placet_capture"].is_captured(i, 10)]
        assert drawn == [i for i in IDS if approved.is_captured(i, 10)]
        assert abs(len(drawn) - 400) < 80
        assert set(drawn) <= {i for i in IDS if approved.is_captured(i, 11)}
        assert all(approved.is_captured(i, 100) for i in IDS)

    def test_without_a_word_of_the_node_nothing_is_written(
        self, sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PLACET_CAPTURE", raising=False)
        capture = sources["placet_capture"].Capture(SIGNATURE, print)
        assert not any(capture.wants(i) for i in IDS)


class TestFiles:
    def test_every_process_has_its_own_and_a_line_is_one_write(
        self, sources: dict[str, Any], tmp_path: Path
    ) -> None:
        one, two = (sources["placet_capture"].Files(tmp_path) for _ in range(2))
        for n in range(3):
            one.append({"n": n})
        two.append({"n": 9})
        found = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
        assert [len(path.read_text().splitlines()) for path in found] == [1, 3]
        assert found[0].stat().st_mode & 0o777 == 0o600

    def test_a_full_file_is_followed_by_the_next(
        self, sources: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sources["placet_capture"], "FILE_BYTES", 40)
        files = sources["placet_capture"].Files(tmp_path)
        for n in range(4):
            files.append({"n": n})
        names = sorted(path.name for path in tmp_path.iterdir())
        assert [name[-12:] for name in names] == ["000000.jsonl", "000001.jsonl"]

    def test_what_has_no_room_is_counted_and_said_when_there_is_room(
        self, sources: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = sources["placet_capture"]
        monkeypatch.setattr(module, "FOLDER_BYTES", 10)
        full = tmp_path / "full"
        full.write_bytes(b"x" * 11)
        files = module.Files(tmp_path)
        for n in range(module.LOOK_AGAIN):
            files.append({"n": n})
        full.unlink()
        files.append({"n": "last"})
        (written,) = tmp_path.iterdir()
        assert json.loads(written.read_text()) == {"n": "last", "dropped": module.LOOK_AGAIN}


class TestSettings:
    def test_what_is_not_given_takes_its_default(self) -> None:
        assert approved.Capture.read({"percent": 5}).document == {
            "percent": 5,
            "redact": ["personal"],
            "days": 30,
            "max_bytes": 16384,
        }

    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ({}, "must be an object with percent"),
            ({"percent": 5, "rate": 1}, "must be an object with percent"),
            ({"percent": 0}, "percent must be at least"),
            ({"percent": 101}, "percent must be at least"),
            ({"percent": float("nan")}, "percent must be a number"),
            ({"percent": True}, "percent must be a number"),
            ({"percent": 5, "redact": "personal"}, "redact must be"),
            ({"percent": 5, "redact": ["Not a tag"]}, "redact must be"),
            ({"percent": 5, "days": 0}, "days must be"),
            ({"percent": 5, "max_bytes": 1 << 20}, "max_bytes must be"),
        ],
    )
    def test_what_is_wrong_is_named(self, document: Any, says: str) -> None:
        with pytest.raises(ValueError, match=says):
            approved.Capture.read(document)
