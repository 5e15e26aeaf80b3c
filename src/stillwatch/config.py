"""Settings from `stillwatch.toml`. Precedence: flag, `STILLWATCH_<VERB>_<OPTION>`, this file, default.

A table per verb, keys as the options are called: `[detect]` with `fpr = 0.01` is `stillwatch detect --fpr 0.01`.
"""

import tomllib
from pathlib import Path
from typing import Any

from stillwatch.errors import Location, UsageError

CONFIG_FILE = "stillwatch.toml"


def load_config(path: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of each verb, option names with underscores; nothing where the file does not exist.

    Raises:
        UsageError: the file is not TOML, or holds something else than one table per verb.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the settings: {error}", where=Location(str(path))) from error
    for verb, table in document.items():
        if not isinstance(table, dict):
            raise UsageError(
                f"{verb!r} stands outside of a table",
                where=Location(str(path)),
                hint=f"settings belong to a verb, such as [detect] {verb} = …",
            )
    return {verb: {name.replace("-", "_"): value for name, value in table.items()} for verb, table in document.items()}


def check_config(
    settings: dict[str, dict[str, Any]], options: dict[str, dict[str, str]], path: Path
) -> dict[str, dict[str, Any]]:
    """Return the settings under the names of parameters; refuse what does not exist, for it would silently not apply.

    Args:
        settings: what `load_config` returned.
        options: the options of each verb, as they are called, and the parameter of each.
        path: the file, for the error.

    Raises:
        UsageError: names the key and what there is instead.
    """
    for verb, table in settings.items():
        known = options.get(verb)
        if known is None:
            raise UsageError(f"there is no verb {verb!r}", where=Location(str(path)), hint=f"one of {sorted(options)}")
        for name in table:
            if name not in known:
                hint = f"[{verb}] takes {', '.join(sorted(known))}"
                raise UsageError(f"[{verb}] has no setting {name!r}", where=Location(str(path)), hint=hint)
    return {verb: {options[verb][name]: value for name, value in table.items()} for verb, table in settings.items()}
