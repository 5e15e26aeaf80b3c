"""One file per log format; the built-in ones are the list below, in the order in which they are tried."""

from collections.abc import Mapping

from stillwatch.plugins import load_plugins
from stillwatch.records.adapters.anthropic import AnthropicPairs
from stillwatch.records.adapters.base import Adapter
from stillwatch.records.adapters.bedrock import Bedrock
from stillwatch.records.adapters.envoy import Envoy
from stillwatch.records.adapters.haproxy import HAProxy
from stillwatch.records.adapters.litellm import LiteLLM
from stillwatch.records.adapters.native import NativeAdapter
from stillwatch.records.adapters.nginx import Nginx
from stillwatch.records.adapters.openai import OpenAIPairs
from stillwatch.records.adapters.otel import OpenTelemetry
from stillwatch.records.adapters.vertex import Vertex

BUILT_IN: tuple[Adapter, ...] = (
    NativeAdapter(),
    LiteLLM(),
    AnthropicPairs(),
    OpenAIPairs(),
    OpenTelemetry(),
    Bedrock(),
    Vertex(),
    Envoy(),
    Nginx(),
    HAProxy(),
)


def load_adapters() -> Mapping[str, Adapter]:
    """Return the adapters by name: the built-in ones, then those of installed plug-ins.

    Raises:
        UsageError: a plug-in cannot be loaded, or takes a name that is already taken.
    """
    built_in = {adapter.name: adapter for adapter in BUILT_IN}
    return built_in | load_plugins("stillwatch.adapters", _check, taken=built_in)


def _check(plugin: object) -> Adapter:
    if not isinstance(plugin, Adapter):
        raise TypeError("it has not the members of stillwatch.records.adapters.base.Adapter")
    return plugin
