"""API keys never reach a file: what is kept instead of them, and how they are taken out of text."""

import hashlib
import re
from typing import Any

SECRET_NAMES = frozenset(
    {
        "authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie",
        "x-amz-security-token", "aws_secret_access_key", "password", "http_authorization", "http_x_api_key",
        "http_cookie",
    }
)  # fmt: skip
"""Names, in lower case, under which logs hold secrets."""

_IN_TEXT = re.compile(
    r"""\bBearer\s+[\w.~+/=-]{8,}|\bBasic\s+[A-Za-z0-9+/]{12,}={0,2}|\b(?:sk|rk|pk)-[\w-]{8,}|\bAIza[\w-]{20,}"""
    r"""|(?<=api-key"):\s*"[^"]*"?""",
    re.IGNORECASE,
)
_REMOVED = "[removed]"
_SHORTEST = len("sk-12345678")  # anything shorter cannot match


def hash_secret(secret: str) -> str:
    """Return what may be kept of an API key: its SHA-256 in hex, the form in which LiteLLM logs keys too."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def redact(text: str) -> str:
    """Return text in which what looks like a key or a login is replaced."""
    return text if len(text) < _SHORTEST else _IN_TEXT.sub(_REMOVED, text)


def without_secrets(value: Any) -> Any:
    """Return a decoded JSON value without the nulls in its objects, secrets replaced by their name or their look."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            key: _REMOVED if key in SECRET_NAMES or str(key).lower() in SECRET_NAMES else without_secrets(inner)
            for key, inner in value.items()
            if inner is not None
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value
