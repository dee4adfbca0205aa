"""Walks the opcodes of a pickle with a symbolic stack: nothing is imported, nothing is called.

The opcodes are read as widely as either unpickler of Python reads them (``Lib/pickle.py``,
``Modules/_pickle.c``): what one of them follows, the walk follows. Where the walk ends early both
have ended too, so what it met until then is all that a loader can have done.

Should an unpickler read a number or text that is held to be none here, then what it met behind it
is asked as well: a call there makes the file unknown, for no honest text has one by chance.

Two loaders go different ways: joblib steps over raw arrays that stand between two opcodes
(``joblib/numpy_pickle.py``, ``NumpyUnpickler.load_build``), pickle reads them as opcodes. A file
with such arrays is walked both ways.
"""

from collections.abc import Callable
from typing import IO

from workers.builder.scanning.machine import Machine
from workers.builder.scanning.pickled import Bytes, Ended, Hostile, Walk
from workers.builder.scanning.report import is_of_the_machine

MAX_PICKLES = 1000


def walk_pickle(stream: IO[bytes], warn: Callable[[str], None] = lambda what: None) -> Walk:
    """Walk what stands in ``stream``, from where it is, as pickles one behind the other.

    What was met before an error counts: a loader would have come as far. The first malicious thing
    that is done is told to ``warn`` as it is met.
    """
    here = stream.tell()
    walk = _walk(stream, Walk(warn=warn), joblib=True)
    if walk.arrays:
        stream.seek(here)
        plain = _walk(stream, Walk(garbled=True), joblib=False)
        for verdict, what in plain.findings:
            walk.note(verdict, what)
        walk.note(plain.verdict, "")
        walk.cut |= plain.cut
    if walk.doubtful:
        stream.seek(here)
        beyond = _walk(stream, Walk(lenient=True), joblib=True)
        walk.cut |= beyond.cut
        if walk.effects and beyond.asks_alone:  # whichever of the two is right, it calls nothing
            walk.doubtful, walk.asked = False, walk.asked | beyond.asked
            for verdict, what in beyond.findings:
                walk.note(verdict, what)
        elif not walk.effects and beyond.effects and beyond.calls:
            walk.effects = True
            walk.note("unknown", "calls something behind what no unpickler is known to read")
    return walk


def _walk(stream: IO[bytes], walk: Walk, *, joblib: bool) -> Walk:
    source = Bytes(stream)
    try:
        while walk.whole < MAX_PICKLES:
            Machine(source, walk, joblib=joblib).run()
            walk.stopped()
            if not source.left():
                walk.complete = True
                return walk
            if (
                stream.tell() < source.frame
            ):  # the next one begins here to one, behind it to another
                raise Hostile("something stands behind its end in the frame that it stands in")
        raise Hostile("it holds too many pickles")
    except Ended as error:
        walk.ended, walk.error = True, str(error)
        if walk.whole:
            walk.error = "something stands behind its end"
    except Exception as error:  # an unpickler may go on where the walk does not
        walk.error = str(error) if isinstance(error, Hostile) else "it cannot be followed"
        walk.cut |= is_of_the_machine(error)
        walk.effects = True
        walk.note("unknown", walk.error)
    return walk
