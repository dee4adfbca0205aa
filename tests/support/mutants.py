"""Takes one permission check at a time out of the running code.

A check is a call of ``authorize`` or ``visible``, of a question whether somebody has just shown who
they are, or of one of the actor's own questions. The module is compiled again with the call
replaced by what would be left if somebody had forgotten it, and the functions that are already
there get the new code: nothing is imported anew, and no file is written.
"""

import ast
import builtins
import functools
import gc
import importlib
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {
    "authorize",
    "visible",
    "visible_whole",
    "demand_fresh",
    "demand_fresh_at",
    "demand_fresh_session",
}
QUESTIONS = {"can": True, "can_somewhere": True, "projects_with": None}


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One check: where its call stands, and what it calls."""

    path: str
    line: int
    column: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column} {self.name}"


@functools.cache
def mutants() -> list[Mutant]:
    """Return a mutant for each check in the apps."""
    files = subprocess.run(
        ["git", "ls-files", "apps/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return sorted(m for path in files for m in checks(path, ast.parse((ROOT / path).read_bytes())))


def checks(path: str, tree: ast.Module) -> Iterator[Mutant]:
    """Yield the checks of one module, under whatever name it imports them."""
    local = {name: name for name in FUNCTIONS}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            local |= {a.asname: a.name for a in node.names if a.asname and a.name in FUNCTIONS}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and (name := local.get(node.func.id)):
            yield Mutant(path, node.lineno, node.col_offset, name)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in FUNCTIONS | set(QUESTIONS):
            yield Mutant(path, node.lineno, node.col_offset, node.func.attr)


def forgotten(mutant: Mutant, call: ast.Call) -> ast.expr:
    """Return what is left when nobody asks: the rows as they are, yes, or nothing at all.

    The call stays in a branch that is never taken, because a function that uses fewer names of
    the one around it could not take the place of the old.
    """
    left: ast.expr = ast.Constant(QUESTIONS.get(mutant.name))
    if mutant.name in ("visible", "visible_whole"):
        left = call.args[0]
    return ast.IfExp(test=ast.Constant(True), body=left, orelse=call)


@contextmanager
def removed(mutant: Mutant) -> Iterator[None]:
    """Run the code without the check."""
    with replaced(mutant.path, {mutant: forgotten}):
        yield


@contextmanager
def recorded(all_of_them: list[Mutant], seen: Callable[[Mutant], None]) -> Iterator[None]:
    """Tell ``seen`` of every check that is asked."""

    def told(mutant: Mutant, call: ast.Call) -> ast.expr:
        note = ast.Call(
            ast.Name("_check_asked", ast.Load()), [ast.Constant(all_of_them.index(mutant))], []
        )
        both = ast.Tuple([note, call], ast.Load())
        return ast.Subscript(both, ast.Constant(1), ast.Load())

    builtins._check_asked = lambda index: seen(all_of_them[index])  # type: ignore[attr-defined]
    try:
        with ExitStack() as changes:
            for path in {m.path for m in all_of_them}:
                here = dict.fromkeys((m for m in all_of_them if m.path == path), told)
                changes.enter_context(replaced(path, here))
            yield
    finally:
        del builtins._check_asked  # type: ignore[attr-defined]


class _Replacing(ast.NodeTransformer):
    def __init__(self, changes: dict[Mutant, Callable[[Mutant, ast.Call], ast.expr]]) -> None:
        self.at = {(m.line, m.column, m.name): (m, change) for m, change in changes.items()}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        for (line, column, _), (mutant, change) in self.at.items():
            if (node.lineno, node.col_offset) == (line, column) and named(node, mutant):
                return ast.copy_location(change(mutant, node), node)
        return node


def named(call: ast.Call, mutant: Mutant) -> bool:
    """Tell a call from the others that begin at the same place, as in ``a.can(x).b()``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr == mutant.name
    return isinstance(call.func, ast.Name) and mutant.name in FUNCTIONS


@contextmanager
def replaced(
    path: str, changes: dict[Mutant, Callable[[Mutant, ast.Call], ast.expr]]
) -> Iterator[None]:
    """Have the functions of the module at ``path`` run with its checks changed."""
    source = (ROOT / path).read_bytes()
    tree = _Replacing(changes).visit(ast.parse(source))
    new = compile(ast.fix_missing_locations(tree), str(ROOT / path), "exec")
    codes = {(c.co_qualname, c.co_firstlineno): c for c in nested(new)}
    old = {f: f.__code__ for f in functions()[str(ROOT / path)]}
    changed = {f: codes[f.__code__.co_qualname, f.__code__.co_firstlineno] for f in old}
    if all(old[f] == code for f, code in changed.items()):
        raise LookupError(f"{path}: no function that runs has {', '.join(map(str, changes))}")
    try:
        for f, code in changed.items():
            f.__code__ = code
        yield
    finally:
        for f, code in old.items():
            f.__code__ = code


@functools.cache
def functions() -> dict[str, list[FunctionType]]:
    """Return the functions that exist of each module with a check, wherever they are wrapped."""
    for path in {m.path for m in mutants()}:
        importlib.import_module(
            path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        )
    found: dict[str, list[FunctionType]] = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is FunctionType:  # isinstance would wake what is lazy
            found[thing.__code__.co_filename].append(thing)
    return found


def nested(code: CodeType) -> Iterator[CodeType]:
    """Yield ``code`` and all code in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)
