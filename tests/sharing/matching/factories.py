"""Keys, rings and vectors that the tests of private matching share."""

import secrets
from dataclasses import dataclass
from typing import Any

from stillwatch.sharing.matching import group
from stillwatch.sharing.matching.key_ring import KeyRing, new_ring
from stillwatch.sharing.matching.keys import Key

NOW = 1_790_000_000
DAY = 86_400
IDENTITY = bytes(32)


def flipped(data: bytes, bit: int) -> bytes:
    """Return data with one bit turned."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


NOT_ELEMENTS = {
    "identity": IDENTITY,
    "negative": b"\x01" + bytes(31),
    "not below p": b"\xed" + b"\xff" * 30 + b"\x7f",
    "p and two": b"\xef" + b"\xff" * 30 + b"\x7f",
    "high bit": bytes(31) + b"\x80",
    "element with high bit": flipped(group.multiply_base(b"\x05" + bytes(31)), 255),
    "all ones": b"\xff" * 32,
    "no square": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
    "short": b"\x02" * 31,
    "long": b"\x02" * 33,
    "nothing": b"",
}


@dataclass(frozen=True)
class Vector:
    inputs: list[bytes]
    blinds: list[bytes]
    blinded: list[bytes]
    evaluated: list[bytes]
    outputs: list[bytes]
    proof: bytes
    nonce: bytes


class Vectors:
    """The RFC's vectors of one suite and mode."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.seed, self.info = bytes.fromhex(raw["seed"]), bytes.fromhex(raw["keyInfo"])
        self.scalar, self.public_key = bytes.fromhex(raw["skSm"]), bytes.fromhex(raw["pkSm"])
        self.each = [self._vector(vector) for vector in raw["vectors"]]

    @staticmethod
    def _vector(raw: dict[str, Any]) -> Vector:
        def many(name: str) -> list[bytes]:
            return [bytes.fromhex(part) for part in raw[name].split(",")]

        return Vector(
            many("Input"), many("Blind"), many("BlindedElement"), many("EvaluationElement"), many("Output"),
            bytes.fromhex(raw["Proof"]["proof"]), bytes.fromhex(raw["Proof"]["r"]),
        )  # fmt: skip


def element() -> bytes:
    return group.hash_to_group(secrets.token_bytes(16))


def elements(count: int) -> list[bytes]:
    return [element() for _ in range(count)]


def ring(key: Key | None = None, epoch: str = "2026-09") -> KeyRing:
    return new_ring(epoch, NOW, 30 * DAY, key)
