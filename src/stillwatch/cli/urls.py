"""Addresses that somebody gives for others to use."""

import re
from urllib.parse import urlsplit

from stillwatch.errors import UsageError

_URL = re.compile(r"[!-~]+", re.ASCII)


def check_url(url: str, option: str) -> None:
    """Check that an address can be told to members.

    Raises:
        UsageError: it is no whole URL, or has parts that an address of a service has not.
    """
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
        parts = urlsplit("")
    if not whole or parts.query or parts.fragment or parts.username is not None or not _URL.fullmatch(url):
        raise UsageError(f"{option} is no URL of a service", hint="as https://hub.example, with no query")
