"""What was replayed before, kept beside the policy, so that `serve` knows which rules enforce untried."""

import hashlib
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from stillwatch import __version__
from stillwatch.enforcement.backtest.outcome import Outcome
from stillwatch.enforcement.policy.model import Policy
from stillwatch.files import replace_file

_NO_MEANING = {"policy": ("id", "version", "description"), "rule": ("mode", "canary_percent"), "exemption": ("reason",)}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """FILE.backtest.json. `at`: when the replay was made (RFC 3339)."""

    digest: str
    at: str
    stillwatch: str
    outcome: Outcome


def digest(policy: Policy) -> str:
    """Return a digest of what a policy does.

    Its name and version, reasons and comments change nothing, nor does the order in a list of names. Mode and canary
    do not count either: a replay hears every rule as enforced for everybody, so a rule may go on to enforce as it is.
    """
    document: dict[str, Any] = msgspec.to_builtins(policy)
    for table, names in _NO_MEANING.items():
        for entry in [document] if table == "policy" else document[table]:
            for name in names:
                entry.pop(name, None)
    for table, name in (("limit", "id"), ("budget", "cohort")):  # of these alone, the order has no meaning
        document[table] = sorted(document[table], key=itemgetter(name))
    return hashlib.blake2b(msgspec.json.encode(_in_order(document), order="sorted"), digest_size=16).hexdigest()


def kept_path(policy: Path) -> Path:
    """Return where the outcome for a policy file is kept."""
    return policy.with_name(f"{policy.name}.backtest.json")


def keep(outcome: Outcome, policy: Path, now: datetime) -> Path:
    """Write the outcome beside the policy, whole or not at all; return where."""
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = Kept(digest=outcome.policy.digest, at=at, stillwatch=__version__, outcome=outcome)
    path = kept_path(policy)
    replace_file(path, msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    return path


def untried_rules(policy: Policy, file: Path) -> dict[str, str]:
    """Return the rules of a policy that enforce though no replay told what they do, each with the reason."""
    enforcing = [rule.id for rule in policy.rule if rule.mode == "enforce"]
    try:
        kept = msgspec.json.decode(kept_path(file).read_bytes(), type=Kept)
    except FileNotFoundError:
        return dict.fromkeys(enforcing, "it was never replayed")
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return dict.fromkeys(enforcing, f"{kept_path(file).name} cannot be read: {error}")
    if kept.digest != digest(policy):
        return dict.fromkeys(enforcing, "the policy has changed since it was replayed")
    missing = {rule.id: rule.not_assessable for rule in kept.outcome.rules if rule.not_assessable}
    return {name: f"the replay lacked {', '.join(missing[name])}" for name in enforcing if name in missing}


def _in_order(value: Any) -> Any:
    """Return a document with its lists of names sorted."""
    if isinstance(value, dict):
        return {name: _in_order(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        inner = [_in_order(one) for one in value]
        return sorted(set(inner)) if all(isinstance(one, str) for one in inner) else inner
    return value
