"""Bytes of many rows in one piece, joined where they lie: a thousand rows would cost more to hand over than to read."""

from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Joined(FunctionElement[bytes]):
    """The aggregate of a column of bytes, in the order of its rows, separated by commas.

    Both engines keep the order of a sorted subquery: PostgreSQL says so, and SQLite may not resolve one with a limit.
    """

    name = "joined"
    type = LargeBinary()
    inherit_cache = True


@compiles(Joined)
def _in_sqlite(element: Joined, compiler: Any, **more: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **more)}, ',')"


@compiles(Joined, "postgresql")
def _in_postgresql(element: Joined, compiler: Any, **more: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **more)}, ',')"
