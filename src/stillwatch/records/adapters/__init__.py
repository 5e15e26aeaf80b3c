"""One file per log format; the built-in ones are the list below, in the order in which they are tried."""

from collections.abc import Mapping

from stillwatch.plugins import load_plugins
from stillwatch.records.adapters.anthropic import AnthropicPairs
from stillwatch.records.adapters.base import Adapter
from stillwatch.records.adapters.litellm import LiteLLM
from stillwatch.records.adapters.native import NativeAdapter
from stillwatch.records.adapters.openai import OpenAIPairs

BUILT_IN: tuple[Adapter, ...] = (
    NativeAdapter(),
    LiteLLM(),
    AnthropicPairs(),
    OpenAIPairs(),
)


def load_adapters() -> Mapping[str, Adapter]:
    """Return the adapters by name: the built-in ones, then those of installed plug-ins.

    Raises:
        UsageError: a plug-in cannot be loaded, or takes a name that is already taken.
    """
    return {adapter.name: adapter for adapter in BUILT_IN} | load_plugins(
        "stillwatch.adapters", Adapter, taken={adapter.name for adapter in BUILT_IN}
    )
