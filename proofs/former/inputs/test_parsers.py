"""What strangers send costs a web process or a worker no more than its length."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from apps.registry import cards
from apps.registry.actions import set_card
from apps.registry.formats import Files, derive
from tests.governed import World
from tests.integration.former.limits import bounded
from workers.builder import own
from workers.builder.errors import BuildFailed

# Ten times as long with each line, once somebody makes a text of it.
ALIASES = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
EMPTY = ",".join(["&a0 []", *(f"&a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))])
SIGNATURE = """\
signature:
  inputs: '[{"name": "a", "type": "double"}]'
  outputs: '[{"name": "p", "type": "long"}]'
"""
FLAVOR = "flavors: {python_function: {python_version: %s}}\n"
TREE = b'{"base_weights":[' + b",".join([b"3.2E-1"] * 99) + b'],"id":0}'
CARDS = {
    "one unbroken word": "W" * 30_000,
    "a wide table": "|" + "a|" * 20_000 + "\n|" + "-|" * 20_000 + "\n|" + "b|" * 20_000 + "\n",
    "brackets": "![" * 100_000,
}


def files_of(*paths: Path) -> Files:
    """Return files of a version that lie on a disk."""
    by_name = {path.name: path for path in paths}

    def start(name: str, size: int) -> bytes:
        with by_name[name].open("rb") as file:
            return file.read(size)

    sizes = {name: path.stat().st_size for name, path in by_name.items()}
    return Files(sizes, lambda name, _: by_name[name].read_bytes(), start)


def refused(read: Callable[[], object]) -> Callable[[], object]:
    """Return what reads something that may be refused; how does not matter here."""

    def act() -> None:
        try:
            read()
        except (ValueError, BuildFailed, cards.CardError):
            return
        except Exception as error:
            if not hasattr(error, "status"):  # of the problems that are told to people
                raise

    return act


def test_an_mlmodel_file_with_aliases_holds_no_thread(tmp_path: Path) -> None:
    (path := tmp_path / "MLmodel").write_text(ALIASES + FLAVOR % "*a29" + SIGNATURE)
    assert len(path.read_bytes()) < 2000
    assert bounded(refused(lambda: derive("mlflow", files_of(path)))) == "done"


def test_a_bentofile_with_aliases_holds_no_thread(tmp_path: Path) -> None:
    (path := tmp_path / "bentofile.yaml").write_text(f"include: [{EMPTY}]\nservice: s:S\n")
    assert bounded(refused(lambda: derive("bentoml", files_of(path)))) == "done"


@pytest.mark.django_db
def test_a_loop_in_a_bentofile_is_no_error_of_the_server(ask: Callable[..., int]) -> None:
    assert ask(bentofile__yaml=b"service: &a [*a]\n", service__py=b"") < 500


@pytest.mark.django_db
def test_an_example_info_that_is_a_list_is_no_error_of_the_server(ask: Callable[..., int]) -> None:
    model = FLAVOR % "3.13" + SIGNATURE + "saved_input_example_info: [a]\n"
    assert ask(MLmodel=model.encode()) < 500


def test_a_bento_yaml_is_not_read_where_it_could_take_a_workers_memory(tmp_path: Path) -> None:
    (tmp_path / "bento.yaml").write_text(ALIASES + "image: {base_image: *a29}\n")
    assert bounded(refused(lambda: own.refuse_system_parts(tmp_path))) == "done"


def varint(value: int) -> bytes:
    """Return a number of protobuf."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def test_the_weights_of_an_onnx_model_are_not_read(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 2]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y])
    size = 200 << 20
    weights = varint(9 << 3 | 2) + varint(size)
    tensor = varint(5 << 3 | 2) + varint(size + len(weights)) + weights
    more = varint(7 << 3 | 2) + varint(size + len(tensor)) + tensor
    head = helper.make_model(graph).SerializeToString() + more
    with (path := tmp_path / "m.onnx").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    assert bounded(lambda: derive("onnx", files_of(path)), megabytes=100) == "done"


def test_the_trees_of_xgboost_are_not_read(tmp_path: Path) -> None:
    trees = b",\n".join([TREE] * 80_000)
    start = b'{"learner":{"feature_names":["a"],"gradient_booster":{"model":{"trees":['
    path = tmp_path / "m.json"
    path.write_bytes(start + trees + b']}},"objective":{"name":"reg:x"}}}')
    assert 50 << 20 < path.stat().st_size < 64 << 20
    assert bounded(lambda: derive("xgboost", files_of(path)), megabytes=100) == "done"


def test_no_card_holds_a_server() -> None:
    assert bounded(lambda: cards.render(CARDS["brackets"]), seconds=1) == "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["one unbroken word", "a wide table"])
def test_no_card_holds_a_browser(name: str, world: World, open_as: Callable[..., Page]) -> None:
    version = world.version()
    set_card(version, card=CARDS[name], actor=world.alan)
    page = open_as(world.people["Rex"], width=390)
    page.set_default_timeout(120_000)  # what it takes is measured, however busy the machine
    page.goto("/")  # what follows runs in the same process of the browser's, which is measured
    path = f"/models/{version.project.slug}/{version.model.name}/{version.number}/"
    spent = busy(page, path)
    assert spent < 1, f"the browser is held for {spent:.1f} s"


def busy(page: Page, path: str) -> float:
    """Return how many seconds of a processor the page's main thread took until all was drawn."""
    watch = page.context.new_cdp_session(page)
    watch.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = tasks(watch)
    page.goto(path)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return tasks(watch) - before


def tasks(watch: Any) -> float:
    """Return how long the page's main thread has worked so far."""
    told = watch.send("Performance.getMetrics")["metrics"]
    return float(next(row["value"] for row in told if row["name"] == "TaskDuration"))
