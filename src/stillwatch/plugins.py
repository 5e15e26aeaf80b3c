"""Plug-ins: classes that other distributions offer under an entry point group of stillwatch."""

from collections.abc import Callable, Collection
from importlib.metadata import entry_points
from typing import TypeVar

from stillwatch.errors import UsageError

T = TypeVar("T")


def load_plugins(group: str, check: Callable[[object], T], *, taken: Collection[str] = ()) -> dict[str, T]:
    """Load and construct every plug-in of a group.

    Args:
        group: entry point group, such as `stillwatch.adapters`; each entry names a class without parameters.
        check: returns the plug-in with its type, or raises TypeError where it is not what the group holds.
        taken: names that a plug-in must not use.

    Returns:
        the plug-ins by entry point name, sorted by it so that the order does not depend on the installation.

    Raises:
        UsageError: a plug-in does not load, is not what the group holds, or takes a name that is taken.
    """
    plugins: dict[str, T] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        distribution = entry.dist.name if entry.dist is not None else "an unknown distribution"
        who = f"plug-in {entry.name!r} ({group}) of {distribution}"
        if entry.name in taken or entry.name in plugins:
            raise UsageError(f"{who} takes a name that is already taken", hint="uninstall one of the two")
        try:
            plugins[entry.name] = check(entry.load()())
        except (ImportError, AttributeError, TypeError) as error:
            raise UsageError(f"{who} does not load: {error}", hint="repair or uninstall it") from error
    return plugins
