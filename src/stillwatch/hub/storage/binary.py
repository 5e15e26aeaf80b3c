"""Cursors of PostgreSQL that get bytes as bytes: as text, every object would come at twice its length."""

from typing import Any

import psycopg
from psycopg.pq import Format


class _Binary(psycopg.Cursor[Any]):
    """A cursor whose results are binary."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.format = Format.BINARY


CURSORS = {"cursor_factory": _Binary}
"""Arguments of a connection."""
