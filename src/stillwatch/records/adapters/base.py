"""What an adapter is: the one class that turns the records of one foreign log format into exchanges."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

EMITTER = "emitter"
"""Key under which an adapter may name the application that wrote the record, beside the fields of an exchange.

It stands for the account where neither the record nor a joined log names one: logged by the source, not guessed.
"""


@runtime_checkable
class Adapter(Protocol):
    """Reads one log format.

    An adapter holds no state: the same record always gives the same exchanges, whatever was read before.
    """

    @property
    def name(self) -> str:
        """The name that `--format` takes."""
        ...

    @property
    def fills(self) -> frozenset[str]:
        """Fields of EXCHANGE_SCHEMA that this format can carry; `convert` gives no others but `extra` and EMITTER."""
        ...

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a record looks like this format.

        Args:
            record: a JSON object of the log, or `{"message": line}` for a line that is not JSON.
        """
        ...

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the exchanges in one record, as values by field name; none for a record of another kind.

        What the source does not say is absent or None, never guessed. `account_id` and `model` may be absent:
        such an exchange can only be used in a join. Secrets and the raw bodies stay out of `extra`.

        Raises:
            RecordError: the record is broken; `reason` is a code of `stillwatch.records.reasons`.
        """
        ...
