"""The tables of the hub.

`seq` is the moment at which an object was added, in microseconds since 1970, and at once its primary key: what pages,
date headers and `added_after` say all follows from it.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

METADATA = MetaData()
BIG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits in both engines; SQLite makes a key of it only where it is called INTEGER."""

EVERYONE = 0
"""The reader that stands for all members of a collection."""
SUPERSEDED, LATEST, DEPENDS = 0, 1, 2
"""Standing of a version for one reader. `DEPENDS`: there is a newer one that only some of everyone may see."""

setting = Table(
    "hub_setting",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
counter = Table(
    "hub_counter",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BIG, nullable=False),
)
member = Table(
    "hub_member",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("member_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("subject", Text, unique=True),  # of the OIDC provider
    Column("added", Float, nullable=False),
    Column("removed", Float),
)
credential = Table(
    "hub_credential",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("member", Integer, nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Column("certificate", Text),  # x5t#S256 of the certificate that the token is bound to (RFC 8705)
)
collection = Table(
    "hub_collection",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("alias", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
)
kind = Table(
    "hub_type",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
stored = Table(
    "hub_object",
    METADATA,
    Column("seq", BIG, primary_key=True, autoincrement=False),
    Column("collection", SmallInteger, nullable=False),
    Column("owner", Integer, nullable=False),
    Column("type", Integer, nullable=False),
    Column("version", BIG, nullable=False),  # microseconds since 1970; `seq` where the object says nothing of it
    Column("leaf", BIG, nullable=False),  # index of the audit leaf of the post that brought it
    Column("size", Integer, nullable=False),  # of `raw`
    Column("id", Text, nullable=False),
    Column("readers", Text),  # numbers of members, as JSON; NULL = everyone
    Column("raw", LargeBinary, nullable=False),
    Index("hub_object_id", "collection", "id", "owner", "version", unique=True),
)
audience = Table(
    "hub_audience",
    METADATA,
    # In an order that leaves no gaps in a row of PostgreSQL; with the size in the key, a page needs the index alone.
    Column("reader", Integer),
    Column("collection", SmallInteger),
    Column("standing", SmallInteger),
    Column("seq", BIG),
    Column("type", Integer, nullable=False),
    Column("size", Integer, nullable=False),  # so that a page knows where to end before it reads the bytes
    PrimaryKeyConstraint("reader", "collection", "standing", "seq", postgresql_include=["size"]),
    Index("hub_audience_type", "reader", "collection", "standing", "type", "seq"),
    sqlite_with_rowid=False,
)
tombstone = Table(
    "hub_tombstone",
    METADATA,
    Column("collection", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("owner", Integer, primary_key=True, autoincrement=False),
    Column("version", BIG, primary_key=True, autoincrement=False),  # 0 = of an object without versions
    sqlite_with_rowid=False,
)
status = Table(
    "hub_status",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("member", Integer, nullable=False),
    Column("added", BIG, nullable=False, index=True),
    Column("total", Integer, nullable=False),
    Column("success", Integer, nullable=False),
    Column("failure", Integer, nullable=False),
    Column("detail", LargeBinary, nullable=False),  # zlib of JSON: successes, failures
)
leaf = Table(
    "hub_leaf",
    METADATA,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
receipt = Table(
    "hub_receipt",
    METADATA,
    Column("leaf", BIG, primary_key=True, autoincrement=False),
    Column("member", Integer, nullable=False),
    Column("digests", LargeBinary, nullable=False),  # 32 bytes for each object of a post, in the order of `seq`
)
