"""The tables of the member API."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text

from stillwatch.hub.storage.schema import BIG

METADATA = MetaData()

key = Table(
    "hub_signing_key",
    METADATA,
    Column("public_key", Text, primary_key=True),  # hex
    Column("member", Integer, nullable=False, index=True),
    Column("added", BIG, nullable=False),  # a number that grows, by which the newest are known
)
signature = Table(
    "hub_signature",
    METADATA,
    Column("sha256", LargeBinary, primary_key=True),  # of the payload
    Column("member", Integer, primary_key=True, autoincrement=False),
    Column("object_id", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("signatures", LargeBinary, nullable=False),  # JSON; the payload is the object, which is stored already
    sqlite_with_rowid=False,
)
report = Table(
    "hub_report",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("collection", SmallInteger, primary_key=True, autoincrement=False),
    Column("object_id", Text, primary_key=True),
    Column("owner", Integer, primary_key=True, autoincrement=False),
    Column("member", Integer, primary_key=True, autoincrement=False),
    Column("value", LargeBinary, nullable=False),  # JSON
    Column("reported", Float, nullable=False),
    Column("newest", BIG, nullable=False),  # `seq` of the newest object then: no later version was reported on
    Column("before", LargeBinary),  # the value that counts until this one is old enough
    Column("before_newest", BIG),
    sqlite_with_rowid=False,
)
proposal = Table(
    "hub_proposal",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", BIG, nullable=False, unique=True),
    Column("object_id", Text, nullable=False),
    Column("owner", Integer, nullable=False),
    Column("author", Integer, nullable=False),
    Column("change", LargeBinary, nullable=False),  # JSON
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("answer", Text),
    Index("hub_proposal_owner", "owner", "number"),
    Index("hub_proposal_author", "author", "number"),
)
usage = Table(
    "hub_token_usage",
    METADATA,
    Column("member", Integer, primary_key=True, autoincrement=False),
    Column("usage", LargeBinary, nullable=False),  # JSON of matching.quota.Usage
)
cosignature = Table(
    "hub_cosignature",
    METADATA,
    Column("size", BIG, primary_key=True, autoincrement=False),
    Column("member", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),  # the checkpoint with the signatures of the log
    Column("line", Text, nullable=False),
)
witness = Table(
    "hub_witness",
    METADATA,
    Column("member", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
)
