"""What a provider knows besides its logs: account records, releases, and whom it has licensed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from stillwatch.files import replace_file
from stillwatch_range.exchanges import account_records
from stillwatch_range.populations import Account, Licence
from stillwatch_range.timing import SECOND_US

_HOLDERS: dict[Licence, tuple[str, str]] = {
    "distillation": ("Tutoring pilot", "exercises for a tutoring model"),
    "researcher": ("Red team", "attempts to get past the safeguards, reported each month"),
    "evaluator": ("Evaluation board", "comparison of models on published items"),
}
"""Holder and scope of each kind of entry."""


def write_side_files(
    out: Path, accounts: list[Account], opening: datetime, release: tuple[str, int], *, metadata: bool
) -> None:
    """Write accounts.jsonl, releases.toml and registry.toml.

    Args:
        out: directory to write into.
        accounts: all accounts.
        opening: start of the history, from which on licences are valid.
        release: the model released, and when (microseconds since the epoch).
        metadata: whether account records carry anything but identifiers.
    """
    records = account_records(accounts, metadata=metadata)
    replace_file(out / "accounts.jsonl", b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    released = datetime.fromtimestamp(release[1] / SECOND_US, UTC).isoformat().replace("+00:00", "Z")
    replace_file(out / "releases.toml", f'[[release]]\nmodel = "{release[0]}"\nreleased_at = {released}\n'.encode())
    entries = [_entry(kind, accounts, opening, metadata=metadata) for kind in _HOLDERS]
    registry = "\n".join(filter(None, entries)) or "# nobody is licensed in this window\n"
    replace_file(out / "registry.toml", registry.encode())


def _entry(kind: Licence, accounts: list[Account], opening: datetime, *, metadata: bool) -> str:
    """Return the registry's entries of one kind, one for each organisation that holds it."""
    orgs: dict[str, list[str]] = {}
    for account in accounts:
        if account.licence == kind:
            orgs.setdefault(account.party.identity.org_id, []).append(account.account_id)
    holder, scope = _HOLDERS[kind]
    last = opening + timedelta(days=365)
    entries = []
    for number, (org, members) in enumerate(sorted(orgs.items()), 1):
        quoted = ", ".join(f'"{member}"' for member in sorted(members))
        owner = f'org_id = "{org}"\n' if metadata else ""
        entries.append(
            f'[[entry]]\nid = "{kind}-{number}"\nkind = "{kind}"\nholder = "{holder}"\n{owner}'
            f'account_ids = [{quoted}]\nscope = "{scope}"\nmodels = ["*"]\nmax_exchanges_per_day = 5000\n'
            f"valid_from = {opening:%Y-%m-%d}\nvalid_to = {last:%Y-%m-%d}\n"
            f'contact = "licences@pilot.example"\n'
        )
    return "\n".join(entries)
