"""Media types: what a client may ask for and send."""

import re
from collections.abc import Mapping

from stillwatch.hub.http import HubError

_TYPE = "application/taxii+json"
_ANY = {"*/*", "application/*", "application/json", _TYPE}


def check_accept(headers: Mapping[str, str]) -> None:
    """Refuse a client that does not take TAXII 2.1.

    Raises:
        HubError: 406.
    """
    accepted = headers.get("accept", "*/*")
    if not any(_takes(part) for part in accepted.split(",")):
        raise HubError(406, "only TAXII 2.1 is spoken here", f"Accept: {_TYPE};version=2.1")


def check_content_type(headers: Mapping[str, str]) -> None:
    """Refuse a body that is not TAXII 2.1.

    Raises:
        HubError: 415.
    """
    kind, version = _read(headers.get("content-type", ""))
    if kind != _TYPE or version not in {"2.1", None}:
        raise HubError(415, "only TAXII 2.1 is taken here", f"Content-Type: {_TYPE};version=2.1")


def _takes(part: str) -> bool:
    kind, version = _read(part)
    return kind in _ANY and (version in {"2.1", None} or kind != _TYPE)


def _read(text: str) -> tuple[str, str | None]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        match = re.fullmatch(r"version\s*=\s*\"?([\w.]+)\"?", parameter)
        if match is not None:
            return kind, match[1]
    return kind, None
