"""What the scanner reads of an attribute of ONNX is what protobuf reads, whatever else is there."""

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.protobuf import eight, four, number, text
from workers.builder.scanning.onnx_fields import NAME, NotOnnx, attribute

LISTS = st.sampled_from([1, 3, 4, 7, 8, 9, 20, 21, 30])
PARTS = st.one_of(
    st.builds(number, LISTS, st.integers(0, 2**64 - 1)),
    st.builds(text, LISTS, st.sampled_from([b"", b"LEAF", b"\x01\x02", b"\0\0\x80?"])),
    st.builds(four, LISTS, st.binary(min_size=4, max_size=4)),
    st.builds(eight, LISTS, st.binary(min_size=8, max_size=8)),
)


@given(st.lists(PARTS, max_size=8))
def test_an_attribute_is_read_as_protobuf_reads_it(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    try:
        read = attribute(memoryview(raw))
        whole = onnx.AttributeProto.FromString(raw)
    except (NotOnnx, DecodeError):
        return  # a file that one of the two refuses is not safe, or loads nowhere
    assert [*read.wholes] == [one % 2**64 for one in whole.ints]
    assert [*read.leaves] == [one == b"LEAF" for one in whole.strings]
    assert read.fractions == len(whole.floats)
    assert (read.whole == set()) is not whole.HasField("i")
    if sum(part[0] == NAME << 3 | 2 for part in parts) < 2:  # of two the scanner makes one
        odd = isinstance(whole.name, bytes)  # what protobuf makes of a name that is not UTF-8
        assert read.name == (whole.name if odd else whole.name.encode())


@pytest.mark.parametrize("made", [four(8, b"\1\2\3\4"), eight(8, bytes(8)), four(9, b"LEAF")])
def test_what_is_always_as_long_is_no_list(made: bytes) -> None:
    read = attribute(memoryview(made))
    assert (len(read.wholes), len(read.leaves)) == (0, 0)
