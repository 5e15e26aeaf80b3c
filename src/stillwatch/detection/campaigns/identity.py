"""A campaign keeps its name from run to run: by its frame, or by an earlier run's findings in the same directory."""

from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.grouping import Group
from stillwatch.identifiers import campaign_id

_SAME_FRAME = 0.3
SKETCH_TOKENS = 64


class _KnownTemplate(msgspec.Struct):
    sketch: list[str] = []


class _KnownCampaign(msgspec.Struct):
    campaign_id: str
    templates: list[_KnownTemplate] = []


class _KnownCampaigns(msgspec.Struct):
    campaigns: list[_KnownCampaign] = []


def frame_sketch(tokens: npt.NDArray[np.uint64]) -> list[str]:
    """Return the tokens of a frame that stand for it: the SKETCH_TOKENS smallest by value within their bin, as hex."""
    return [f"{int(token):010x}" for token in sorted(_steadiest(tokens)[:SKETCH_TOKENS])]


def _steadiest(tokens: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Order tokens by value within their bin: the smaller, the seldomer another shingle of a prompt displaces it."""
    return tokens[np.lexsort((tokens, tokens & np.uint64(0xFFFFFFFF)))]


class KnownCampaigns:
    """Campaigns of an earlier run, to be recognised by their frames. Missing or unreadable findings mean none.

    Each name is given once; name the largest campaign first.
    """

    def __init__(self, out: Path) -> None:
        self._frames: list[tuple[str, set[str]]] = []
        self._given: set[str] = set()
        try:
            known = msgspec.json.decode((out / "campaigns.json").read_bytes(), type=_KnownCampaigns)
        except (OSError, msgspec.MsgspecError):
            return
        for campaign in known.campaigns:
            self._frames += [(campaign.campaign_id, set(template.sketch)) for template in campaign.templates]

    def name(self, group: Group) -> str:
        """Return the id of a group of families: the known one whose frame it shares, else one made from its frame."""
        frame = group.families[0].frame
        own = set(frame_sketch(frame))
        likeness = {known: len(own & other) / max(1, len(own | other)) for known, other in self._frames}
        alike = sorted((known for known, part in likeness.items() if part >= _SAME_FRAME), key=lambda k: -likeness[k])
        anchors = (campaign_id([f"{int(token):010x}"]) for token in _steadiest(frame))
        name = next(name for name in chain(alike, anchors) if name not in self._given)
        self._given.add(name)
        return name
