"""SPOP 2.0, the protocol in which HAProxy asks agents (HAProxy's doc/SPOE.txt): frames to values and back.

A frame: length (4 bytes), type (1), flags (4), stream and frame id (varints), payload. Lists of named values carry the
handshake and the arguments of a message; an answer is a list of variables to set.
"""

import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

MOST_BYTES = 65_536
"""The longest frame that is taken; HAProxy is told so and keeps to it."""

HAPROXY_HELLO, HAPROXY_DISCONNECT, NOTIFY = 1, 2, 3
AGENT_HELLO, AGENT_DISCONNECT, ACK = 101, 102, 103
FINISHED = 1
VERSION = "2.0"

_NULL, _BOOL, _INT32, _UINT32, _INT64, _UINT64, _IPV4, _IPV6, _STRING, _BINARY = range(10)
_TRUE = 0x10
_LONG = 240
"""Integers from here on take more than one byte."""
_SET_VARIABLE, _TRANSACTION = 1, 2

_HEAD, _KIND = struct.Struct(">IBI"), struct.Struct(">BI")

Value = None | bool | int | str | bytes


class FrameError(Exception):
    """A frame that is none; `status` is the code of SPOE.txt 3.5 that the peer is told."""

    def __init__(self, message: str, status: int = 4) -> None:
        super().__init__(message)
        self.status = status


class Frame(NamedTuple):
    """A frame without its length."""

    kind: int
    flags: int
    stream: int
    number: int
    payload: bytes


class Reader:
    """Reads values from the bytes of a frame; every read past the end is a FrameError."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def ended(self) -> bool:
        """Whether everything was read."""
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise FrameError("the frame ends within a value")
        taken, self._at = self._data[self._at : end], end
        return taken

    def varint(self) -> int:
        """Return the next integer of variable length, at most 64 bits."""
        value = self.take(1)[0]
        if value < _LONG:
            return value
        shift = 4
        while True:
            byte = self.take(1)[0]
            value += byte << shift
            shift += 7
            if value >= 2**64:
                raise FrameError("an integer is over 64 bits")
            if byte < 128:
                return value

    def text(self) -> str:
        """Return the next string; bytes that are no UTF-8 are replaced."""
        return self.take(self.varint()).decode("utf-8", "replace")

    def value(self) -> Value:
        """Return the next typed value."""
        head = self.take(1)[0]
        kind = head & 0x0F
        found: Value = None
        if kind == _BOOL:
            return bool(head & _TRUE)
        if kind in {_INT32, _UINT32, _INT64, _UINT64}:
            found = self.varint()
        elif kind in {_IPV4, _IPV6}:
            found = inet_ntop(*((AF_INET, self.take(4)) if kind == _IPV4 else (AF_INET6, self.take(16))))
        elif kind in {_STRING, _BINARY}:
            found = self.text() if kind == _STRING else self.take(self.varint())
        elif kind != _NULL:
            raise FrameError(f"there is no type {kind}")
        return found

    def value_at(self, at: int) -> tuple[Value, int]:
        """Return the typed value at a place, and where it ends."""
        self._at = at
        return self.value(), self._at

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self._at)

    def pairs(self) -> dict[str, Value]:
        """Return the named values up to the end."""
        found = {}
        while not self.ended:
            name = self.text()
            found[name] = self.value()
        return found


def arguments(payload: bytes) -> dict[str, Value]:
    """Return the arguments of all messages of a NOTIFY frame in one; of a name that comes twice the last value.

    Short strings, nearly all there is, are read in place: this is the hot path of the agent.

    Raises:
        FrameError: the payload is none.
    """
    found: dict[str, Value] = {}
    reader, at, end = Reader(payload), 0, len(payload)
    try:
        while at < end:
            at += 1 + _short(payload, at)  # the name of the message
            count, at = payload[at], at + 1
            for _ in range(count):
                size = _short(payload, at)
                name, at = payload[at + 1 : at + 1 + size].decode("utf-8", "replace"), at + 1 + size
                if payload[at] & 0x0F == _STRING and payload[at + 1] < _LONG:
                    size, at = payload[at + 1], at + 2
                    found[name], at = payload[at : at + size].decode("utf-8", "replace"), at + size
                else:
                    found[name], at = reader.value_at(at)
    except IndexError as error:
        raise FrameError("the frame ends within a value") from error
    if at != end:
        raise FrameError("the frame ends within a value")
    return found


def _short(payload: bytes, at: int) -> int:
    """Return the length of a name, which HAProxy's configuration holds: never a long one."""
    size = payload[at]
    if size >= _LONG:
        raise FrameError("a name is over 239 bytes")
    return size


def read_frame(data: bytes) -> Frame:
    """Read a frame without its length.

    Raises:
        FrameError: it is none.
    """
    reader = Reader(data)
    kind, flags = _KIND.unpack(reader.take(5))
    stream, number = reader.varint(), reader.varint()
    return Frame(kind, flags, stream, number, reader.rest())


def write_frame(frame: Frame) -> bytes:
    """Return a frame with its length."""
    numbers = varint(frame.stream) + varint(frame.number)
    head = _HEAD.pack(5 + len(numbers) + len(frame.payload), frame.kind, frame.flags)
    return head + numbers + frame.payload


def varint(value: int) -> bytes:
    """Return an integer as HAProxy writes it: below 240 in one byte, else four bits there and seven in each other."""
    if value < _LONG:
        return bytes([value])
    out = bytearray([(value & 0x0F) | 0xF0])
    value = (value - _LONG) >> 4
    while value >= 128:
        out.append((value & 0x7F) | 0x80)
        value = (value - 128) >> 7
    out.append(value)
    return bytes(out)


def text(value: str) -> bytes:
    """Return a string with its length."""
    data = value.encode()
    return varint(len(data)) + data


def typed(value: str | int) -> bytes:
    """Return a string or a non-negative integer with its type."""
    if isinstance(value, str):
        return bytes([_STRING]) + text(value)
    return bytes([_UINT32 if value < 2**32 else _UINT64]) + varint(value)


def write_pairs(pairs: dict[str, str | int]) -> bytes:
    """Return named values."""
    return b"".join(text(name) + typed(value) for name, value in pairs.items())


def set_variables(variables: dict[str, str | int]) -> bytes:
    """Return the actions that set variables of the transaction."""
    head = bytes([_SET_VARIABLE, 3, _TRANSACTION])
    return b"".join(head + text(name) + typed(value) for name, value in variables.items())
