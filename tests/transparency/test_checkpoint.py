import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transparency.logs import KEY, NOW, ORIGIN, PUBLIC

from stillwatch.errors import PolicyRefusedError
from stillwatch.transparency.checkpoint import Checkpoint, cosign, is_origin, parse, sign, verify
from stillwatch.transparency.keys import SigningKey, encode

ROOT = bytes(range(32))
NOTE = sign(Checkpoint(ORIGIN, 42, ROOT), KEY, NOW)
WITNESS = SigningKey("witness.example/w1", b"\x09" * 32)


def test_a_signed_checkpoint() -> None:
    lines = NOTE.decode().split("\n")
    assert lines[:4] == [ORIGIN, "42", encode(ROOT), ""]
    assert [line.rpartition(" ")[0] for line in lines[4:6]] == [f"— {ORIGIN}"] * 2
    assert lines[6:] == [""]
    signed = parse(NOTE)
    assert signed.checkpoint == Checkpoint(ORIGIN, 42, ROOT)
    assert verify(signed, PUBLIC) is None
    assert verify(signed, PUBLIC.timed()) == NOW


def test_a_cosignature_is_over_the_time_and_the_note() -> None:
    note = NOTE + cosign(parse(NOTE), WITNESS, NOW + 1.9)
    signed = parse(note)
    assert verify(signed, WITNESS.verifying.timed()) == NOW + 1
    signature = signed.lines[-1].signature
    text = f"cosignature/v1\ntime {int(NOW) + 1}\n{ORIGIN}\n42\n{encode(ROOT)}\n".encode()
    assert signature[:8] == (int(NOW) + 1).to_bytes(8, "big")
    assert WITNESS.verifying.verifies(signature[8:], text)
    with pytest.raises(PolicyRefusedError, match="no signature of the key"):
        verify(signed, WITNESS.verifying)
    with pytest.raises(PolicyRefusedError, match="no signature of the key"):
        verify(parse(NOTE), WITNESS.verifying.timed())


def test_a_forged_line_is_not_hidden_by_a_good_one() -> None:
    signed = parse(NOTE)
    forged = signed._replace(lines=(signed.lines[0]._replace(signature=bytes(64)), *signed.lines))
    with pytest.raises(PolicyRefusedError, match="is not over this checkpoint"):
        verify(forged, PUBLIC)
    short = signed._replace(lines=(signed.lines[1]._replace(signature=b"\x01"),))
    with pytest.raises(PolicyRefusedError, match="is not over this checkpoint"):
        verify(short, PUBLIC.timed())


def test_lines_of_extension_are_signed_and_otherwise_ignored() -> None:
    text = f"{ORIGIN}\n0\n{encode(ROOT)}\nmore\n".encode()
    line = f"— {ORIGIN} {encode(PUBLIC.key_id + KEY.sign(text))}\n".encode()
    signed = parse(text + b"\n" + line)
    assert signed.text == text
    assert signed.checkpoint.size == 0
    assert verify(signed, PUBLIC) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"42", b"042"),
        (b"42", b"-1"),
        (b"42", b"4 2"),
        (b"42", b"\xd9\xa4"),
        (b"42", b"9" * 20),
        (b"42", b""),
        (b"\n42\n", b"\n"),
        (b"\n\n", b"\n"),
        (encode(ROOT).encode(), encode(ROOT[1:]).encode()),
        (encode(ROOT).encode(), encode(ROOT)[:-2].encode() + b"9="),
        (b"hub", b"\xff"),
        (b"hub", b"h\tb"),
        ("— ".encode(), b"- "),
        (b"audit ", b"audit"),
        (b"audit ", b"audit+ "),
        (NOTE, b""),
        (NOTE, NOTE[:-1]),
        (NOTE, NOTE + b"\n"),
        (NOTE, NOTE + "— a AAAA\n".encode()),
        (NOTE, NOTE + "— a AAAAAA==\n".encode()[:0] + "— a AAAAA\n".encode()),
        (NOTE, NOTE + "— a AAAAAAA=\n".encode() * 200),
        (NOTE, NOTE + b"x" * 70_000),
    ],
)
def test_what_is_no_checkpoint(old: bytes, new: bytes) -> None:
    assert old in NOTE
    with pytest.raises(ValueError, match=r"."):
        parse(NOTE.replace(old, new))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(note: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(note)


def _verify_both(note: bytes) -> None:
    for key in (PUBLIC, PUBLIC.timed()):
        verify(parse(note), key)


@given(st.integers(0, len(NOTE) * 8 - 1))
def test_any_changed_bit_is_found(bit: int) -> None:
    changed = bytearray(NOTE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((ValueError, PolicyRefusedError)):
        _verify_both(bytes(changed))


@pytest.mark.parametrize(("origin", "good"), [(ORIGIN, True), ("", False), ("a b", False), ("cosignature/v1", False)])
def test_origins(origin: str, *, good: bool) -> None:
    assert is_origin(origin) is good
