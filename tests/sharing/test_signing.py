import base64
import json
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.objects.factories import campaign

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.objects.build import canonical
from stillwatch.sharing.signing import MAX_ENVELOPE, PAYLOAD_TYPE, Envelope, Signer, read_envelope, verify

SIGNER = Signer(Ed25519PrivateKey.generate())
OTHER = Signer(Ed25519PrivateKey.generate())
PAYLOAD = canonical(campaign())


def written(envelope: Envelope) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(msgspec.json.encode(envelope))
    return body


def changed(**changes: Any) -> Envelope:
    return read_envelope(json.dumps(written(SIGNER.sign(PAYLOAD)) | changes).encode())


@given(st.binary(max_size=200))
def test_what_was_signed_verifies_after_travel(payload: bytes) -> None:
    verify(read_envelope(msgspec.json.encode(SIGNER.sign(payload))), payload, SIGNER.public_key)


def test_the_signature_is_over_the_encoding_of_dsse() -> None:
    """By the letter of the DSSE protocol, without the library that we sign with."""
    body = written(SIGNER.sign(PAYLOAD))
    assert base64.b64decode(body["payload"]) == PAYLOAD
    kind = PAYLOAD_TYPE.encode()
    encoded = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(PAYLOAD), PAYLOAD])
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SIGNER.public_key))
    key.verify(base64.b64decode(body["signatures"][0]["sig"]), encoded)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_one_changed_byte_is_found(payload: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(payload) - 1))
    other = bytes([*payload[:place], payload[place] ^ data.draw(st.integers(1, 255)), *payload[place + 1 :]])
    envelope = SIGNER.sign(payload)
    with pytest.raises(PolicyRefusedError, match="another payload"):
        verify(envelope, other, SIGNER.public_key)
    forged = written(envelope) | {"payload": base64.b64encode(other).decode()}
    with pytest.raises(PolicyRefusedError, match="not signed"):
        verify(read_envelope(json.dumps(forged).encode()), other, SIGNER.public_key)


@given(st.integers(0, 63), st.integers(1, 255))
def test_one_changed_byte_of_the_signature_is_found(place: int, change: int) -> None:
    signature = bytearray(base64.b64decode(written(SIGNER.sign(PAYLOAD))["signatures"][0]["sig"]))
    signature[place] ^= change
    keyid = SIGNER.sign(PAYLOAD).signatures[0].keyid
    forged = changed(signatures=[{"keyid": keyid, "sig": base64.b64encode(signature).decode()}])
    with pytest.raises(PolicyRefusedError, match="not signed"):
        verify(forged, PAYLOAD, SIGNER.public_key)


def test_another_key_is_refused_under_any_name() -> None:
    envelope = OTHER.sign(PAYLOAD)
    with pytest.raises(PolicyRefusedError, match="not signed"):
        verify(envelope, PAYLOAD, SIGNER.public_key)
    name = SIGNER.sign(PAYLOAD).signatures[0].keyid
    renamed = msgspec.structs.replace(
        envelope, signatures=[msgspec.structs.replace(one, keyid=name) for one in envelope.signatures]
    )
    with pytest.raises(PolicyRefusedError, match="not signed"):
        verify(renamed, PAYLOAD, SIGNER.public_key)


def test_the_name_of_a_key_is_not_needed() -> None:
    """DSSE: a keyid is a hint, and may be absent."""
    (signature,) = written(SIGNER.sign(PAYLOAD))["signatures"]
    verify(changed(signatures=[{"sig": signature["sig"]}]), PAYLOAD, SIGNER.public_key)


def test_a_second_signature_does_not_hide_the_first() -> None:
    ours, theirs = SIGNER.sign(PAYLOAD).signatures[0], OTHER.sign(PAYLOAD).signatures[0]
    envelope = msgspec.structs.replace(SIGNER.sign(PAYLOAD), signatures=[theirs, ours])
    verify(envelope, PAYLOAD, SIGNER.public_key)
    verify(envelope, PAYLOAD, OTHER.public_key)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"payloadType": "application/vnd.in-toto+json"}, "not over"),
        ({"signatures": []}, "not signed"),
        ({"signatures": [{"keyid": "a", "sig": ""}]}, "not signed"),
        ({"signatures": [{"keyid": "a", "sig": "ß"}]}, "malformed"),
        ({"signatures": [{"keyid": "a", "sig": "YQ=="}, {"keyid": "a", "sig": "YQ=="}]}, "not signed"),
        ({"signatures": [{"keyid": str(n), "sig": "YQ=="} for n in range(9)]}, "at most 8"),
        ({"payload": "?"}, "malformed"),
        ({"payload": ""}, "another payload"),
    ],
)
def test_other_envelopes_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyRefusedError, match=words):
        verify(changed(**changes), PAYLOAD, SIGNER.public_key)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"\xff", b'{"payload": 1}', b"[" * 100_000, b"x" * (MAX_ENVELOPE + 1)]
)
def test_what_is_no_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(PolicyRefusedError):
        read_envelope(raw)


@pytest.mark.parametrize("key", ["", "zz" * 32, "00" * 31, "é"])
def test_what_is_no_public_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        verify(SIGNER.sign(PAYLOAD), PAYLOAD, key)


def test_a_key_is_made_once_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = Signer.make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    loaded = Signer.load(path)
    assert loaded.public_key == made.public_key
    verify(loaded.sign(PAYLOAD), PAYLOAD, made.public_key)
    with pytest.raises(UsageError, match="already"):
        Signer.make(path)
    assert Signer.load(path).public_key == made.public_key
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.pem"
    Signer.make(path)
    path.chmod(mode)
    with pytest.raises(UsageError, match="others may"):
        Signer.load(path)


def test_no_key_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Signer.load(tmp_path / "absent.pem")
    with pytest.raises(UsageError, match="cannot be written"):
        Signer.make(tmp_path / "absent" / "signing.pem")


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"nonsense", pem):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(UsageError, match="no Ed25519 key"):
            Signer.load(path)


def test_no_secret_shows(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    signer = Signer.make(path)
    secret = path.read_text("utf-8").splitlines()[1]
    assert secret not in repr(signer) + str(vars(signer))
