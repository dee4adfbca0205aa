"""Holds the trees of an ONNX file against themselves: ONNX Runtime follows them without a check.

It goes where a node's numbers lead for every row. Of a branch that leads back to a node before it,
or to one that is not there, ONNX Runtime 1.32 makes a tree that it never comes out of.
"""

from array import array
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from workers.builder.scanning.onnx_fields import Attribute, NotRead
from workers.builder.scanning.spread import SECRET

# Of a tree: ONNX Runtime 1.32 ends at 10,900 by its stack as it loads them, and makes a level of
# each member of a node that has a set, of which most have 30.
MAX_LEVELS = 3_000
MAX_LEVELS_OF_SETS = MAX_LEVELS // 30
MAX_NODES = 2_000_000  # of a tree, each of which takes some 700 bytes to follow
MANY = f"it has a tree of more than {MAX_NODES:,} nodes, or trees in one list of as many"
# Both of up to version 3, with a list for each number of a node.
BY_NODE = frozenset({b"TreeEnsembleClassifier", b"TreeEnsembleRegressor"})
LISTS = (b"nodes_treeids", b"nodes_nodeids", b"nodes_truenodeids", b"nodes_falsenodeids")
# That of version 5 keeps its leaves in lists of their own, and all trees in one.
SETS = b"membership_values"
NOWHERE = -1  # of nodes that are counted from zero on
SIDES = ((b"nodes_truenodeids", b"nodes_trueleafs"), (b"nodes_falsenodeids", b"nodes_falseleafs"))


def lost(kind: bytes, given: Mapping[bytes, Attribute]) -> Iterator[bytes]:
    """Yield what keeps an operator's trees from leading every row to a leaf: the first of it."""
    if kind not in BY_NODE and kind != b"TreeEnsemble":
        return
    if any(one.refers for one in given.values()):
        yield kind + b" with lists of a function's caller"
        return
    why = next((_by_node if kind in BY_NODE else _by_place)(given), None)
    if why is not None:
        yield kind + b" " + why.encode()


def _by_node(given: Mapping[bytes, Attribute]) -> Iterator[str]:
    nothing = Attribute()
    trees, ids, *children = (given.get(name, nothing).wholes for name in LISTS)
    leaves = given.get(b"nodes_modes", nothing).leaves
    if any(len(one) != len(leaves) for one in (trees, ids, *children)):
        yield "with lists of different lengths for its nodes"
        return
    by_tree: dict[int, array[int]] = {}
    for place, tree in enumerate(trees):
        by_tree.setdefault(tree * SECRET, array("Q")).append(place)
    for places in by_tree.values():
        if len(places) > MAX_NODES:
            raise NotRead(MANY)
        tree = trees[places[0]]
        known = {ids[place] * SECRET: node for node, place in enumerate(places)}
        if len(known) < len(places):
            yield f"with two nodes of one number in tree {tree}"
        branches = {
            node: tuple(known.get(one[place] * SECRET, NOWHERE) for one in children)
            for node, place in enumerate(places)
            if not leaves[place]
        }
        del known
        for node, below in branches.items():
            if NOWHERE in below:
                yield f"whose node {ids[places[node]]} of tree {tree} leads to none"
        for node, where in _astray(branches, MAX_LEVELS):
            yield f"whose node {ids[places[node]]} of tree {tree} leads {where}"


def _by_place(given: Mapping[bytes, Attribute]) -> Iterator[str]:
    nothing = Attribute()
    sides = [[given.get(name, nothing).wholes for name in side] for side in SIDES]
    count, leaves = len(sides[0][0]), len(given.get(b"leaf_targetids", nothing).wholes)
    if any(len(one) != count for side in sides for one in side):
        yield "with lists of different lengths for its nodes"
        return
    if any(root >= count for root in given.get(b"tree_roots", nothing).wholes):
        yield "with a root that is not there"
    if count > MAX_NODES:
        raise NotRead(MANY)
    branches: dict[int, tuple[int, ...]] = {}
    for node in range(count):
        if any(ids[node] >= (leaves if leaf[node] else count) for ids, leaf in sides):
            yield f"whose node {node} leads to none"
        branches[node] = tuple(ids[node] for ids, leaf in sides if not leaf[node])
    for node, where in _astray(branches, MAX_LEVELS_OF_SETS if SETS in given else MAX_LEVELS):
        yield f"whose node {node} leads {where}"


def _astray(branches: Mapping[int, tuple[int, ...]], most: int) -> Iterator[tuple[int, str]]:
    """Yield a node that leads to itself or over too many levels, if there is one. Two may lead to
    one below them."""
    below = {node: [one for one in both if one in branches] for node, both in branches.items()}
    levels: dict[int, int] = {}
    try:
        for node in TopologicalSorter(below).static_order():  # what lies below comes first
            levels[node] = 1 + max((levels[one] for one in below[node]), default=0)
            if levels[node] > most:
                yield node, f"over more than {most:,} levels"
                return
    except CycleError as error:
        yield error.args[1][0], "in a circle"
