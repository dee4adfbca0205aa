"""What a build writes down beside a service is no more than a node reads."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.registry.rules import size
from placet_protocol import service_facts
from workers.builder import acceleration, generate
from workers.builder.bento import Workplace
from workers.builder.errors import BuildFailed


def column(name: str) -> dict[str, object]:
    tags = [f"{number}".ljust(30, "a") for number in range(10)]
    return {"name": name, "type": "boolean", "required": False, "shape": [9] * 8, "tags": tags}


def test_facts_that_no_node_reads_are_never_built(tmp_path: Path) -> None:
    """The most columns that a version may declare fit, and a model's file tells fewer words."""
    columns = [column(f"{number}".ljust(200, "a")) for number in range(4000)]
    plain = [
        {"name": f"{n}".ljust(200, "a"), "type": "double", "required": 1} for n in range(10**4)
    ]
    for inputs in (columns, plain):
        generate.write_facts(tmp_path, {"signature": {"inputs": inputs}})
    with pytest.raises(BuildFailed, match="8 MiB"):
        generate.write_facts(tmp_path, {"columns": "a" * service_facts.MAX_BYTES})
    with pytest.raises(BuildFailed, match="too many parts"):
        generate.write_facts(tmp_path, {"columns": [{}] * 300_000})


def test_letters_take_no_more_than_where_the_version_was_finalised(tmp_path: Path) -> None:
    told = {"name": "é" * (size.MAX_FROZEN_BYTES // 2), "told": "half a pair: \ud800"}
    generate.write_facts(tmp_path, told)
    assert json.loads((tmp_path / service_facts.NAME).read_text("utf-8")) == told


def test_a_conversion_that_says_more_leaves_the_original(tmp_path: Path) -> None:
    """It ran the model's own code, and what it says of itself goes into the facts."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/placet.json").write_text("{}")
    bench = SimpleNamespace(workplace=Workplace(tmp_path))
    with pytest.raises(acceleration.KeepOriginal, match="a node reads no more"):
        acceleration._trial(cast(Any, bench), b"", {"columns": [[]] * 500_000})
