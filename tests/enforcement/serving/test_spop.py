import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforcement.serving import spop

VALUES = st.text(max_size=40) | st.integers(0, 2**64 - 1)


@given(st.integers(0, 2**64 - 1))
def test_integers_survive(value: int) -> None:
    reader = spop.Reader(spop.varint(value))
    assert reader.varint() == value
    assert reader.ended


@pytest.mark.parametrize(
    ("value", "data"), [(0, "00"), (239, "ef"), (240, "f000"), (2287, "ff7f"), (2288, "f08000"), (264431, "ffff7f")]
)
def test_integers_are_written_as_spoe_txt_says(value: int, data: str) -> None:
    assert spop.varint(value).hex() == data


@given(st.dictionaries(st.text(max_size=20), VALUES, max_size=5))
def test_named_values_survive(pairs: dict[str, str | int]) -> None:
    assert spop.Reader(spop.write_pairs(pairs)).pairs() == pairs


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**32), st.integers(0, 2**32), st.binary())
def test_frames_survive(kind: int, flags: int, stream: int, number: int, payload: bytes) -> None:
    frame = spop.Frame(kind, flags, stream, number, payload)
    assert spop.read_frame(spop.write_frame(frame)[4:]) == frame


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    for read in (lambda sent: spop.Reader(sent).pairs(), spop.arguments):
        try:
            read(data)
        except spop.FrameError:
            continue


@given(st.lists(st.dictionaries(st.text(max_size=20), VALUES | st.text("ä", min_size=100, max_size=300), max_size=5)))
def test_arguments_of_all_messages_are_read_as_one(messages: list[dict[str, str | int]]) -> None:
    payload, wanted = b"", {}
    for pairs in messages:
        payload += spop.text("decide") + bytes([len(pairs)]) + spop.write_pairs(pairs)
        wanted |= pairs
    assert spop.arguments(payload) == wanted


@pytest.mark.parametrize("payload", ["05", "0164", "016401", "01640161", "0164016105", "0164010161087f", "f0"])
def test_arguments_that_end_too_early(payload: str) -> None:
    with pytest.raises(spop.FrameError):
        spop.arguments(bytes.fromhex(payload))


def test_every_type_is_read() -> None:
    data = bytes([0, 0x11, 0x01, 2, 5, 6, 127, 0, 0, 1, 7, *bytes(15), 1, 9, 2, 0xFF, 0])
    reader = spop.Reader(data)
    assert [reader.value() for _ in range(6)] == [None, True, False, 5, "127.0.0.1", "::1"]
    assert reader.value() == b"\xff\x00"
    with pytest.raises(spop.FrameError, match="no type 10"):
        spop.Reader(b"\x0a").value()
