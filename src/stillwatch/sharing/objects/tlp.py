"""Traffic Light Protocol 2.0 (FIRST) as STIX markings: the published ids, their objects, and the order of the labels.

Ids and objects are those of OASIS' extension definition for TLP 2.0. Ids of TLP 1 are read and never written.
"""

from collections.abc import Iterable
from enum import IntEnum
from types import MappingProxyType
from typing import Any

EXTENSION_ID = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_CREATED = "2022-10-01T00:00:00.000Z"


class Tlp(IntEnum):
    """A label, from the widest audience to the narrowest: a larger number is a stricter label."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """The label as it is printed: capitals, no spaces, never translated."""
        return "TLP:" + self.name.replace("_", "+")


MARKING_ID = MappingProxyType(
    {
        Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    }
)
LEVEL_OF_ID = MappingProxyType(
    {identifier: level for level, identifier in MARKING_ID.items()}
    | {
        "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,  # TLP 1, white
        "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
        "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
        "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
    }
)
"""The level of each published marking, of TLP 2.0 and of TLP 1."""

DEFAULT = Tlp.AMBER_STRICT
"""TLP:AMBER would include clients, and the clients of a model provider are its resellers."""


def level_of(refs: Iterable[str]) -> Tlp | None:
    """Return the strictest label among ids of markings; None where none of them is a TLP marking."""
    return max((LEVEL_OF_ID[ref] for ref in refs if ref in LEVEL_OF_ID), default=None)


def marking_definition(level: Tlp) -> dict[str, Any]:
    """Return the marking-definition object of a label, equal to the published one."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKING_ID[level],
        "created": _CREATED,
        "name": level.label,
        "extensions": {
            EXTENSION_ID: {
                "extension_type": "property-extension",
                "tlp_2_0": level.name.lower().replace("_", "+"),
            }
        },
    }
