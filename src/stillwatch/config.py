"""Settings from `stillwatch.toml`. Precedence: flag, `STILLWATCH_<VERB>_<OPTION>`, this file, default.

A table per verb, keys as the options are called: `[detect]` with `fpr = 0.01` is `stillwatch detect --fpr 0.01`, and
`[share.pull]` is of `stillwatch share pull`.
"""

import tomllib
from pathlib import Path
from typing import Any

from stillwatch.errors import Location, UsageError

CONFIG_FILE = "stillwatch.toml"


def load_config(path: Path) -> dict[str, Any]:
    """Return what the file holds; nothing where it does not exist.

    Raises:
        UsageError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the settings: {error}", where=Location(str(path))) from error


def check_config(settings: dict[str, Any], options: dict[str, dict[str, str]], path: Path) -> dict[str, Any]:
    """Return the settings under the names of parameters; refuse what does not exist, for it would silently not apply.

    Args:
        settings: what `load_config` returned.
        options: by the whole name of each verb ("share pull"), the parameter of each option as it is called.
        path: the file, for the error.

    Raises:
        UsageError: names the key and what there is instead.
    """
    return _of_group(settings, (), options, path)


def _of_group(
    settings: dict[str, Any], group: tuple[str, ...], options: dict[str, dict[str, str]], path: Path
) -> dict[str, Any]:
    verbs = [tuple(name.split()) for name in options]
    below = {verb[len(group)] for verb in verbs if verb[: len(group)] == group and len(verb) > len(group)}
    checked = {}
    for name, table in settings.items():
        verb = (*group, name)
        known = options.get(" ".join(verb))
        if not isinstance(table, dict):
            raise UsageError(
                f"{'.'.join(verb)!r} stands outside of a verb's table",
                where=Location(str(path)),
                hint=f"settings belong to a verb, such as [{'.'.join((*group, min(below)))}] {name} = …",
            )
        if name not in below:
            hint = f"one of {', '.join(sorted(below))}"
            raise UsageError(f"there is no verb {' '.join(verb)!r}", where=Location(str(path)), hint=hint)
        if known is None:
            checked[name] = _of_group(table, verb, options, path)
        else:
            checked[name] = _of_verb(table, ".".join(verb), known, path)
    return checked


def _of_verb(table: dict[str, Any], verb: str, known: dict[str, str], path: Path) -> dict[str, Any]:
    named = {name.replace("-", "_"): value for name, value in table.items()}
    for name in named:
        if name not in known:
            hint = f"[{verb}] takes {', '.join(sorted(known))}"
            raise UsageError(f"[{verb}] has no setting {name!r}", where=Location(str(path)), hint=hint)
    return {known[name]: value for name, value in named.items()}
