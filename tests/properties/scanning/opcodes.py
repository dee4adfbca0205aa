"""Parts of pickles: texts, numbers and names in every spelling, and calls in every form."""

import struct

from tests.properties.scanning.drawn import Chance

ENDINGS = (
    "model.pkl",
    "model.joblib",
    "notes.txt",
    "README.md",
    "data.json",
    "config.json",
    "plot.gif",
    "plot.png",
    "data.csv",
    "conda.yaml",
    "requirements.txt",
    "model.safetensors",
    "model.onnx",
    "model.ubj",
    "a.npy",
    "LICENSE",
    "model.bin",
    "model.pt",
)
TEXTS = ("notes.txt", "README.md", "data.json", "data.csv", "conda.yaml", "requirements.txt")
# What is asked for and the text that it is called with.
TARGETS = (
    ("placet_marker", "fire", "x"),
    ("placet_marker", "fire", "x"),
    ("placet_marker", "Fires", "x"),
    ("os", "system", "true"),
    ("posix", "system", "true"),
    ("builtins", "eval", "1"),
    ("builtins", "exec", "import placet_marker; placet_marker.fire()"),
    ("subprocess", "getoutput", "true"),
    ("runpy", "run_module", "placet_marker_imported"),
    ("importlib", "import_module", "placet_marker_imported"),
    ("shutil", "rmtree", "/nowhere"),
)
Target = tuple[str, str, str]


def name(random: Chance, among: tuple[str, ...] = ENDINGS) -> str:
    """Return the name of a file; a loader that unpickles asks for none."""
    return random.choice(TEXTS if random.plain else among)


def integer(random: Chance) -> bytes:
    """Return a whole number as ``int(text, 0)`` or ``strtol`` may take it."""
    digits = str(random.randrange(10**6)).encode()
    forms = (
        b"0x%x" % random.randrange(999),
        b"0X%X" % random.randrange(999),
        b"0o17",
        b"0b101",
        b"010",
        b"00",
        b"01",
        b"1_0",
        b" " + digits,
        b"\t" + digits,
        digits + b" ",
        b"-" + digits,
        b"+" + digits,
        digits,
        digits + b"\r",
        digits + b"\0" + b"anything",
        b"0x_f",
        b"000",
        b"\v7",
        b"\f7",
        b"9" * random.choice((20, 400)),
        digits + b"\0",
        b"\0",
        b"\0anything",
    )
    return random.choice(forms)


def fraction(random: Chance) -> bytes:
    """Return a number with a point as a loader may take it."""
    return random.choice(
        (
            b"1.5",
            b"1e5",
            b"-.5",
            b"1_0.0",
            b"inf",
            b"nan",
            b"1.",
            b" 1.0",
            b"1.0 ",
            b"+1E-3",
            b"infinity",
            b"-0",
            b"1\0",
            b"1.0\0",
            b"1e400",
            b"0x1p3",
        )
    )


def place(random: Chance, number: int) -> bytes:
    """Return a memo's place in digits, as ``int(text)`` and ``PyLong_FromString`` take it."""
    digits = b"%d" % number
    return random.choice(
        (
            digits,
            b" " + digits,
            b"0" + digits,
            b"+" + digits,
            digits + b" ",
            digits + b"\0x",
            b"\t" + digits,
            b"00" + digits,
            digits + b"\r",
        )
    )


def text(random: Chance, what: str) -> bytes:
    """Push a text."""
    raw = what.encode()
    escaped = "".join(f"\\u{ord(c):04x}" if random.random() < 0.3 else c for c in what).encode()
    hidden = "".join(f"\\x{ord(c):02x}" if random.random() < 0.3 else c for c in what).encode()
    mark = random.choice((b"'", b'"'))
    if random.plain:
        return random.choice((b"V" + escaped + b"\n", b"S" + mark + hidden + mark + b"\n"))
    return random.choice(
        (
            b"\x8c" + bytes([len(raw)]) + raw,
            b"X" + struct.pack("<I", len(raw)) + raw,
            b"\x8d" + struct.pack("<Q", len(raw)) + raw,
            b"V" + escaped + b"\n",
            b"S" + mark + hidden + mark + random.choice((b"\n", b"\n", b" \n")),
            b"U" + bytes([len(raw)]) + raw,
            b"T" + struct.pack("<i", len(raw)) + raw,
        )
    )


def number(random: Chance) -> bytes:
    """Push a number."""
    lines = (
        b"I" + integer(random) + b"\n",
        b"L" + integer(random) + random.choice((b"L\n", b"\n")),
        b"F" + fraction(random) + b"\n",
    )
    forms = (
        *lines,
        b"K" + random.randbytes(1),
        b"M" + random.randbytes(2),
        b"J" + random.randbytes(4),
        b"G" + random.randbytes(8),
        b"\x8a\x03" + random.randbytes(3),
        b"\x8b" + struct.pack("<i", 5) + random.randbytes(5),
        b"\x8a\x00",
    )
    return random.choice(lines if random.plain else forms)


def harmless(random: Chance, spelled: int = 0) -> bytes:
    """Push something that means nothing, and take it away again."""
    lines = (
        lambda: number(random) + b"0",
        lambda: text(random, "word") + b"0",
        lambda: b"N0",
        lambda: b"(lp%s\n0" % place(random, 0),
        lambda: b"(N(N11",
        lambda: b"]" + b"(NNe0",
        lambda: b"}" + text(random, "a") + number(random) + b"s0",
        lambda: b")20" + b"0",
        lambda: b"(NN1",
        lambda: b"(N1",
    )
    forms = (
        *lines,
        lambda: b"\x80" + bytes([random.randrange(6)]),
        lambda: b"\x8f(NN\x900",
        lambda: b"B\x03\0\0\0abc0",
        lambda: b"C\x02ab0",
        lambda: b"\x96\x02" + bytes(7) + b"ab0",
        lambda: b"N\x850",
        lambda: b"NN\x860",
        lambda: b"(\x910",
        lambda: b"((d0" + b"0",
    )
    ways = lines if random.plain else forms
    return b"".join(random.choice(ways)() for _ in range(spelled or random.randrange(4)))


def asked(random: Chance, module: str, attribute: str) -> bytes:
    """Push what ``module.attribute`` is."""
    if random.plain or random.random() < 0.4:
        return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"
    between = random.choice((b"", b"", b"N0", b"\x94", b"q\x05"))
    return text(random, module) + between + text(random, attribute) + b"\x93"


def called(random: Chance, target: Target | None = None) -> bytes:
    """Call a target with its text, in one of the forms that pickles have for it."""
    module, attribute, argument = target or random.choice(TARGETS)
    given = text(random, argument)
    made = asked(random, module, attribute)
    forms = [
        made + b"(" + given + b"tR",
        b"(" + made + given + b"o",
        b"(" + given + b"i" + module.encode() + b"\n" + attribute.encode() + b"\n",
    ]
    if random.plain:
        return random.choice(forms)
    forms += [made + given + b"\x85R", made + b"N\x85" + b"0(" + given + b"tR"]
    if attribute == "Fires":
        forms += [
            made + given + b"\x85\x81",
            made + given + b"\x85}\x92",
            made + b")\x81" + given + b"b",
            made + b")R(" + given + b"e",
            made + b")R" + given + b"a",
            made + b")R(" + given + given + b"u",
            made + b")R(" + given + b"\x90",
            made + b")\x81}" + b"b",
        ]
    return random.choice(forms)


def end(random: Chance) -> bytes:
    """End a pickle, or let it be cut off after it has done its work."""
    if random.plain:
        return random.choice((b".", b".", b"0N.", b"", b"\n", b".\n", b". and more"))
    return random.choice((b".", b".", b".", b"0N.", b"", b"\n", b".\n", b". and more", b"\xff"))
