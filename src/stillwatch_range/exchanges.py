"""Turns accounts and their work into exchanges and account records, in the native format."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue, Pace, Turn
from stillwatch_range.metadata import Client
from stillwatch_range.populations import Account, Work
from stillwatch_range.timing import Period, person_times, program_times

_METADATA_FIELDS = (
    *(
        "org_id",
        "key_id",
        "channel",
        "client_ip",
        "asn",
        "country",
        "user_agent",
        "tls_fingerprint",
        "device_id",
    ),
)
_COLUMNS = (
    *("exchange_id", "ts", "account_id", "model", *_METADATA_FIELDS, "session_id", "turn", "operation"),
    *("temperature", "top_p", "max_tokens", "stream", "system", "prompt", "status", "error_code"),
    *("input_tokens", "output_tokens", "latency_ms", "ttft_ms"),
)
_CHARS_PER_TOKEN = 4
_ANSWERED, _OVERLOADED = 200, 529


class Recorder:
    """Collects the exchanges of one period."""

    def __init__(self, rng: random.Random, ids: Identifiers, pace: Pace, period: Period, *, metadata: bool) -> None:
        self._rng = rng
        self._ids = ids
        self._pace = pace
        self._period = period
        self._dropped = set() if metadata else set(_METADATA_FIELDS)
        self._rows: list[tuple[object, ...]] = []
        self.harvested: list[tuple[str, str]] = []

    def record(self, account: Account, work: list[Work], model_at: Callable[[int], str]) -> None:
        """Add all that an account sent in the period. `model_at` tells the model it asks at a moment (µs)."""
        if not work:
            return
        client = account.party.client
        schedule = program_times if account.program else person_times
        talks: list[Dialogue] = [item.dialogue for item in work]
        arrivals = schedule(self._rng, self._pace, self._period, client.utc_offset, talks)
        for item, times in zip(work, arrivals, strict=True):
            session = self._ids.take("sess_") if client.logs_sessions else None
            address, device = self._roam(client)
            for number, (turn, moment) in enumerate(zip(item.dialogue, times, strict=True)):
                exchange_id = self._ids.take("ex_", 12)
                if item.harvest and account.campaign is not None:
                    self.harvested.append((exchange_id, account.campaign))
                head = (exchange_id, moment, account.account_id, model_at(moment))
                origin = self._origin(account, address, device)
                place = (session, None if session is None else number, client.operation)
                self._rows.append((*head, *origin, *place, *self._body(client, turn)))

    def table(self) -> pa.Table:
        """Return the exchanges in order of time."""
        self._rows.sort(key=lambda row: (row[1], row[0]))
        columns = dict(zip(_COLUMNS, zip(*self._rows, strict=True), strict=True)) if self._rows else {}
        arrays = [
            pa.nulls(len(self._rows), field.type)
            if field.name not in columns or field.name in self._dropped
            else pa.array(columns[field.name], field.type)
            for field in EXCHANGE_SCHEMA
        ]
        return pa.Table.from_arrays(arrays, schema=EXCHANGE_SCHEMA)

    def _roam(self, client: Client) -> tuple[tuple[str, int], str | None]:
        rng = self._rng
        away = len(client.addresses) > 1 and rng.random() < 0.3
        address = rng.choice(client.addresses[1:]) if away else client.addresses[0]
        if not client.devices:
            return address, None
        return address, client.devices[0] if rng.random() < 0.8 else rng.choice(client.devices)

    @staticmethod
    def _origin(account: Account, address: tuple[str, int], device: str | None) -> tuple[object, ...]:
        identity, client = account.party.identity, account.party.client
        return (
            *(identity.org_id, client.key_id, client.channel, *address, identity.country),
            *(client.user_agent, client.tls_fingerprint, device),
        )

    def _body(self, client: Client, turn: Turn) -> tuple[object, ...]:
        rng = self._rng
        asked = max(1, round((len(turn.prompt) + len(turn.system or "")) / _CHARS_PER_TOKEN * rng.uniform(0.85, 1.2)))
        overloaded = rng.random() < 0.01
        answered = 0 if overloaded else self._answer(asked)
        if client.max_tokens is not None:
            answered = min(answered, client.max_tokens)
        first_ms = round(rng.lognormvariate(5.9, 0.4) + asked * 0.03)
        return (
            *(client.temperature, client.top_p, client.max_tokens, client.stream, turn.system, turn.prompt),
            *((_OVERLOADED, "overloaded") if overloaded else (_ANSWERED, None)),
            *(asked, answered, first_ms + round(answered * rng.lognormvariate(2.6, 0.3)), first_ms),
        )

    def _answer(self, asked: int) -> int:
        answers = self._pace.answers
        size = min(max(asked.bit_length(), min(answers)), max(answers))
        while size not in answers:
            size += 1
        return self._rng.choice(answers[size])


def write_exchanges(table: pa.Table, directory: Path) -> None:
    """Write one period's exchanges as native Parquet."""
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, directory / "exchanges.parquet", compression="zstd", row_group_size=65_536)


def account_records(accounts: Iterable[Account], *, metadata: bool) -> list[dict[str, object]]:
    """Return the provider's account records, in order of their identifiers."""
    records = []
    for account in sorted(accounts, key=lambda account: account.account_id):
        record: dict[str, object] = {"account_id": account.account_id}
        if metadata:
            identity = account.party.identity
            record |= {
                "org_id": identity.org_id,
                "created_at": _rfc3339(identity.created_us),
                "email_hash": identity.email_hash,
                "email_domain": identity.email_domain,
                "payment_id": identity.payment_id,
                "phone_hash": identity.phone_hash,
                "plan": identity.plan,
                "programme": identity.programme,
                "verification": identity.verification,
                "country": identity.country,
                "status": "active",
                "parent_org_id": identity.parent_org_id,
            }
        records.append(record)
    return records


def _rfc3339(moment_us: int) -> str:
    from_epoch = pa.scalar(moment_us, pa.timestamp("us", tz="UTC")).as_py()
    return str(from_epoch.isoformat(timespec="microseconds")).replace("+00:00", "Z")
