from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import UsageError
from stillwatch.transparency.keys import (
    KeyKind,
    SigningKey,
    decode,
    encode,
    load_signing_key,
    parse_signing_key,
    parse_verifying_key,
)

KEY = SigningKey("log.example/1", b"\x01" * 32)


def test_keys_as_text() -> None:
    public = KEY.verifying
    assert parse_verifying_key(f" {public.text}\n") == public
    assert parse_verifying_key(public.timed().text).kind is KeyKind.TIMED
    assert parse_signing_key(KEY.text).verifying == public
    assert public.text.startswith(f"log.example/1+{public.key_id.hex()}+A")
    assert KEY.text.startswith("PRIVATE+KEY+log.example/1+")
    assert KEY.text not in repr(KEY)


def test_a_key_and_a_signature_that_another_implementation_made() -> None:
    """Made by the note package of the Go project; its documentation shows them."""
    key = parse_verifying_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
    assert line[:4] == key.key_id
    assert key.verifies(line[4:], text.encode())
    assert not key.verifies(line[4:], text.encode() + b" ")
    assert not key.verifies(b"", text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        "name+00000000+AQ==",
        "name+00000000+!",
        "name++AQ==",
        "na me+{id}+{data}",
        "+{id}+{data}",
        "other+{id}+{data}",
        "log.example/1+{ID}+{data}",
        "log.example/1+{id}+{data}A",
        "log.example/1+{id}+" + encode(b"\x02" + bytes(32)),
    ],
)
def test_what_is_no_key(text: str) -> None:
    _, key_id, data = KEY.verifying.text.split("+", 2)
    given = text.replace("{id}", key_id).replace("{ID}", key_id.upper()).replace("{data}", data)
    with pytest.raises(UsageError, match="key"):
        parse_verifying_key(given)
    with pytest.raises(UsageError, match="key"):
        parse_signing_key(f"PRIVATE+KEY+{given}")
    with pytest.raises(UsageError, match="no private key"):
        parse_signing_key(given)


@given(st.text())
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_verifying_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x00"])
def test_names(name: str) -> None:
    with pytest.raises(UsageError, match="name of a key"):
        SigningKey(name, bytes(32))


@given(st.binary(max_size=70))
def test_equal_bytes_have_one_text(data: bytes) -> None:
    assert decode(encode(data)) == data


@pytest.mark.parametrize("text", ["A", "AB==", "AAB=", "AA==\n", "é", "A A="])
def test_base64_that_could_be_written_otherwise(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode(text)


def test_a_key_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = load_signing_key(path, "log.example/1")
    assert load_signing_key(path, "other").verifying == made.verifying
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert load_signing_key(tmp_path / "second", "log.example/1").verifying != made.verifying


def test_a_quicker_process_makes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    load_signing_key(tmp_path / "theirs", "quick.example")
    link = Path.hardlink_to

    def late(self: Path, target: Path) -> None:
        (tmp_path / "theirs").rename(self)
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    assert load_signing_key(path, "slow.example").name == "quick.example"


def test_a_key_that_others_may_read_or_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_signing_key(path, "log.example/1")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="others may read"):
        load_signing_key(path, "log.example/1")
    path.chmod(0o600)
    for content in (b"", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="no private key"):
            load_signing_key(path, "log.example/1")
