"""One file per log format; the built-in ones are the list below, in the order in which they are tried."""

from collections.abc import Mapping

from stillwatch.plugins import load_plugins
from stillwatch.records.adapters.base import Adapter
from stillwatch.records.adapters.native import NativeAdapter

BUILT_IN: tuple[Adapter, ...] = (NativeAdapter(),)


def load_adapters() -> Mapping[str, Adapter]:
    """Return the adapters by name: the built-in ones, then those of installed plug-ins.

    Raises:
        UsageError: a plug-in cannot be loaded, or takes a name that is already taken.
    """
    return {adapter.name: adapter for adapter in BUILT_IN} | load_plugins(
        "stillwatch.adapters", Adapter, taken={adapter.name for adapter in BUILT_IN}
    )
