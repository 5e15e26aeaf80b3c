"""What a member sends: bodies that are read strictly, and the shapes that their parts have in common."""

from typing import Annotated, TypeVar

import msgspec

from stillwatch.hub.http import HubError

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SHOWN = 300

ObjectId = Annotated[str, msgspec.Meta(pattern=f"^[a-z][a-z0-9-]{{0,199}}--{_UUID}$", max_length=250)]
"""Id of a STIX object."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern="^[^\\x00]*$")]
"""What a person writes; PostgreSQL keeps no NUL."""
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""SHA-256 in hex."""

_Body = TypeVar("_Body")


class Taken(msgspec.Struct, kw_only=True, frozen=True):
    """What was said of an object is kept."""

    object_id: str


def read(body: bytes, kind: type[_Body]) -> _Body:
    """Return a body as the struct that it should be.

    Raises:
        HubError: 400, it is no JSON; 422, it is other JSON.
    """
    try:
        body.decode("utf-8")
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise HubError(422, "the body is not what this call takes", str(error)[:_SHOWN]) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HubError(400, "the body is no JSON") from error
