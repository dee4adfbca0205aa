"""Families of pickles: every opcode in every spelling, from Lib/pickle.py and _pickle.c."""

import pickle
import struct

from tests.properties.scanning.drawn import EVERY, PICKLES, Chance, Family, Made
from tests.properties.scanning.opcodes import (
    TARGETS,
    TEXTS,
    asked,
    called,
    end,
    fraction,
    harmless,
    integer,
    name,
    number,
    place,
    text,
)

# Python 2's names, as fix_imports reads them (Lib/_compat_pickle.py).
OF_PYTHON_2 = (
    ("__builtin__", "eval", "1"),
    ("__builtin__", "execfile", "/nowhere"),
    ("exceptions", "ValueError", "x"),
    ("commands", "getoutput", "true"),
    ("__builtin__", "apply", "x"),
    ("UserDict", "IterableUserDict", "x"),
    ("os", "getcwdu", "x"),
    ("itertools", "izip", "x"),
    ("__builtin__", "reduce", "x"),
)


def file(random: Chance, data: bytes, among: tuple[str, ...] | None = None) -> Made:
    """Return one file of these bytes and those who unpickle it."""
    return {name(random, among) if among else name(random): data}, PICKLES


def a_plain_call(random: Chance) -> Made:
    return file(random, harmless(random) + called(random) + end(random))


def whole_numbers(random: Chance) -> Made:
    kind = random.choice((b"I", b"L"))
    odd = b"".join(kind + integer(random) + b"\n0" for _ in range(random.randrange(1, 3)))
    return file(random, odd + called(random) + end(random))


def fractions(random: Chance) -> Made:
    return file(random, b"F" + fraction(random) + b"\n0" + called(random) + end(random))


def counted_numbers(random: Chance) -> Made:
    odd = (
        b"\x8b" + struct.pack("<i", random.choice((0, 1, 9, -1))) + bytes(9),
        b"\x8a\xff" + random.randbytes(255),
        b"\x8a\x010",
        number(random),
    )
    return file(random, random.choice(odd) + b"0" + called(random) + end(random))


def places_of_the_memo(random: Chance) -> Made:
    at = random.randrange(5)
    kept = text(random, "placet_marker") + b"p" + place(random, at) + b"\n0"
    back = b"g" + place(random, at) + b"\n"
    return file(random, kept + back + text(random, "fire") + b"\x93N\x85R" + end(random))


def names_out_of_the_memo(random: Chance) -> Made:
    at = random.choice((0, 1, 200, 255))
    put, get = random.choice(
        (
            (b"q" + bytes([at]), b"h" + bytes([at])),
            (b"r" + struct.pack("<I", at * 1000), b"j" + struct.pack("<I", at * 1000)),
            (b"\x94", b"h\0"),
        )
    )
    module, attribute, argument = random.choice(TARGETS)
    first = text(random, module) + put + b"0"
    more = harmless(random) if random.random() < 0.5 else b""
    call = get + text(random, attribute) + b"\x93" + text(random, argument) + b"\x85R"
    return file(random, first + more + call + end(random))


def a_memo_that_is_written_twice(random: Chance) -> Made:
    lies = text(random, "collections") + b"q\x010" + text(random, "placet_marker") + b"q\x010"
    return file(random, lies + b"h\x01" + text(random, "fire") + b"\x93)R" + end(random))


def quoted_texts(random: Chance) -> Made:
    quoted = random.choice(
        (
            b"S'a'\n",
            b'S"a\'"\n',
            b"S'\\x61\\n'\n",
            b"S'' \n",
            b"S'a'\t\n",
            b"S'\\''\n",
            b"S'a\\\n",
            b"S''\n",
            b"S'\\400'\n",
            b"S'\xc3\xa4'\n",
        )
    )
    return file(random, quoted + b"0" + called(random) + end(random))


def escaped_texts(random: Chance) -> Made:
    line = random.choice(
        (
            b"\\u0061",
            b"\\ud800",
            b"\\U0001F600",
            b"\\u12",
            b"\xff\xfe",
            b"\0\0",
            b"a\rb",
            b"\\\\u0061",
            b"",
        )
    )
    return file(random, b"V" + line + b"\n0" + called(random) + end(random))


def instances(random: Chance) -> Made:
    module, attribute, argument = random.choice(TARGETS)
    call = b"i" + module.encode() + b"\n" + attribute.encode() + b"\n"
    return file(random, harmless(random) + b"(" + text(random, argument) + call + end(random))


def objects(random: Chance) -> Made:
    module, attribute, argument = random.choice(TARGETS)
    call = b"(" + asked(random, module, attribute) + text(random, argument) + b"o"
    return file(random, harmless(random) + call + end(random))


def new_objects(random: Chance) -> Made:
    made = asked(random, "placet_marker", "Fires")
    call = random.choice((b"N\x85\x81", b")}" + text(random, "a") + b"Ns\x92", b"N\x85}\x92"))
    return file(random, harmless(random) + made + call + end(random))


def states(random: Chance) -> Made:
    made = asked(random, "placet_marker", "Fires") + random.choice((b")\x81", b")R", b")}\x92"))
    state = random.choice((b"}b", b"Nb", b"Kab", b"}}\x86b", text(random, "state") + b"b"))
    return file(random, harmless(random) + made + state + end(random))


def containers_of_their_own(random: Chance) -> Made:
    made = asked(random, "placet_marker", "Fires") + b")R"
    into = random.choice((b"(NNe", b"Na", b"NNs", b"(NNu", b"(NN\x90", b"(Ne"))
    return file(random, harmless(random) + made + into + end(random))


def names_that_are_computed(random: Chance) -> Made:
    lower = asked(random, "builtins", "str") + text(random, "placet_marker") + b"\x85R"
    return file(random, lower + text(random, "fire") + b"\x93)R" + end(random))


def names_as_bytes(random: Chance) -> Made:
    raw = random.choice((b"U\rplacet_marker", b"T\r\0\0\0placet_marker"))
    return file(random, raw + text(random, "fire") + b"\x93)R" + end(random))


def dotted_names(random: Chance) -> Made:
    module, attribute = random.choice(
        (
            ("collections", "abc.sys.modules.get"),
            ("os", "path.os.system"),
            ("placet_marker", "Fires.append"),
            ("placet_marker", "fire.__call__"),
            ("sklearn", "os.system"),
            ("numpy", "os.system"),
            ("json", "decoder.scanner.re.compile"),
        )
    )
    made = text(random, module) + text(random, attribute) + b"\x93"
    return file(random, b"\x80\x04" + made + text(random, "true") + b"\x85R" + end(random))


def odd_names_of_modules(random: Chance) -> Made:
    module = random.choice(
        (
            "placet-marker",
            "_sysconfigdata__linux_x86_64-linux-gnu",
            "placet_marker_imported",
            "this",
            "antigravity",
            "placet_marker_imported.",
            "__main__",
            "1",
            "os ",
            " os",
            "",
        )
    )
    ask = asked(random, module, random.choice(("x", "fire", "build_time_vars")))
    return file(random, harmless(random) + ask + b"0" + called(random) + end(random), TEXTS)


def modules_behind_a_dot(random: Chance) -> Made:
    """The importer looks for what stands behind the last dot, and imports it anew."""
    module = "." + random.choice(("this", "placet_marker_imported", "os"))
    made = asked(random, module, random.choice(("x", "system")))
    call = b"(" + text(random, "true") + b"tR" if random.random() < 0.5 else b""
    return file(random, harmless(random) + made + call + end(random))


def names_of_python_2(random: Chance) -> Made:
    target = random.choice(OF_PYTHON_2)
    early = b"\x80\x02" if random.random() < 0.5 else b""
    return file(random, early + called(random, target) + end(random))


def lines_without_an_end(random: Chance) -> Made:
    module = random.choice(("placet_marker_imported", "this", "placet-marker"))
    code = random.choice((b"c", b"(i"))
    line = random.choice((b"x", b"\n", b"\nx", b"\nfire", b"\nf\0"))
    return file(random, harmless(random) + code + module.encode() + line)


def frames(random: Chance) -> Made:
    inner = harmless(random) + called(random) + end(random)
    length = random.choice((len(inner), len(inner), 0, 1, len(inner) // 2, len(inner) + 5, 2**62))
    start = random.choice((b"\x80\x04", b"\x80\x05", b""))
    twice = b"\x95" + struct.pack("<Q", length) if random.random() < 0.3 else b""
    return file(random, start + b"\x95" + struct.pack("<Q", length) + twice + inner)


def objects_from_outside(random: Chance) -> Made:
    outside = random.choice(
        (b"Pname\n0", text(random, "name") + b"Q0", b"P\n0", b")Q0", b"P\xff\n0")
    )
    data, _ = harmless(random) + outside + called(random) + end(random), None
    return {name(random): data}, (*PICKLES, "torch")


def extensions(random: Chance) -> Made:
    code = random.choice((b"\x82\x01", b"\x83\x01\x02", b"\x84\x01\0\0\0", b"\x82\0"))
    early = called(random) if random.random() < 0.5 else b""
    return file(random, early + code + b"0" + called(random) + end(random))


def pickles_one_behind_the_other(random: Chance) -> Made:
    few = b"".join(number(random) + b"." for _ in range(random.randrange(1, 6)))
    return {name(random): few + called(random) + end(random)}, (*PICKLES, "torch", "one by one")


def marks_and_pops(random: Chance) -> Made:
    forms = (
        b"(1",
        b"((11",
        b"(N(N11",
        b"N(0200",
        b"(00",
        b"N200",
        b"((t00",
        b"(l0",
        b"((NtNd0",
        b"(0",
        b"((01",
        b"1",
        b"0",
        b"(2",
        b"N(NN10",
    )
    odd = b"".join(random.choice(forms) for _ in range(random.randrange(1, 4)))
    return file(random, odd + called(random) + end(random))


def containers(random: Chance) -> Made:
    forms = (
        b"](I1\nI2\ne",
        b"}(" + text(random, "a") + b"Nu",
        b"\x8f(NN\x90",
        b"(N\x91",
        b"(NNd",
        b"(NNl",
        b"(NNt",
        b"]Na",
        b"}NNs",
        b"}(NN]u",
        b"](e",
        b"}(u",
    )
    return file(random, random.choice(forms) + b"0" + called(random) + end(random))


def bytes_and_buffers(random: Chance) -> Made:
    size = random.choice((0, 1, 300))
    wide, data = struct.pack("<Q", size), bytes(size)
    forms = (
        b"B" + struct.pack("<I", size) + data,
        b"\x8e" + wide + data,
        b"\x96" + wide + data,
        b"C\0",
        b"\x97",
        b"N\x98",
        b"\x96" + bytes(8) + b"\x98",
        b"\x8e" + b"\xff" * 8,
        b"T\xff\xff\xff\xff",
    )
    return file(random, random.choice(forms) + b"0" + called(random) + end(random))


def long_texts_that_hide(random: Chance) -> Made:
    size = random.choice((255, 70_000))
    raw = b"X" + struct.pack("<I", size) + b"a" * size + b"0"
    line = b"V" + b"a" * size + b"\n0"
    return file(random, random.choice((raw, line)) + called(random) + end(random))


def soup(random: Chance) -> Made:
    """Any opcodes, most of them possible where they stand; a call somewhere between."""
    made = [harmless(random, random.randrange(1, 8)) for _ in range(3)]
    ops = [bytes([code]) for code in b"()N0]}2\x88\x89\x8f\x94ltd\x85\x86e"]
    made += [b"".join(random.choice(ops) for _ in range(random.randrange(6)))]
    random.shuffle(made)
    made.insert(random.randrange(len(made) + 1), called(random))
    return file(random, b"".join(made) + end(random))


def changed_bytes(random: Chance) -> Made:
    """A pickle that runs, with some of its bytes changed."""
    data = bytearray(harmless(random, 3) + called(random) + b".")
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data))
        way = random.randrange(3)
        if way == 0:
            data[at] = random.randrange(256)
        elif way == 1:
            data.insert(at, random.choice(b"\0\n ().N0I1\x80\xff"))
        else:
            del data[at]
    return file(random, bytes(data))


def what_pickle_itself_writes(random: Chance) -> Made:
    """A reduce of our own, as every protocol writes it."""

    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return eval, (random.choice(("1", "__import__('placet_marker').fire()")),)

    held: object = random.choice((Runs(), [Runs()], {"a": Runs()}, (1, Runs()), [1, [Runs()] * 3]))
    data = pickle.dumps(held, protocol=random.randrange(6))
    return {name(random): data}, EVERY


FAMILIES: tuple[Family, ...] = (
    a_plain_call,
    whole_numbers,
    fractions,
    counted_numbers,
    places_of_the_memo,
    names_out_of_the_memo,
    a_memo_that_is_written_twice,
    quoted_texts,
    escaped_texts,
    instances,
    objects,
    new_objects,
    states,
    containers_of_their_own,
    names_that_are_computed,
    names_as_bytes,
    dotted_names,
    odd_names_of_modules,
    modules_behind_a_dot,
    names_of_python_2,
    lines_without_an_end,
    frames,
    objects_from_outside,
    extensions,
    pickles_one_behind_the_other,
    marks_and_pops,
    containers,
    bytes_and_buffers,
    long_texts_that_hide,
    soup,
    changed_bytes,
    what_pickle_itself_writes,
)
