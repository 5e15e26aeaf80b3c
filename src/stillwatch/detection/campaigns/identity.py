"""A campaign keeps its name from run to run: by its frame, or by an earlier run's findings in the same directory."""

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
    order = np.lexsort((tokens, tokens & np.uint64(0xFFFFFFFF)))
    return [f"{int(token):010x}" for token in sorted(tokens[order[:SKETCH_TOKENS]])]


class KnownCampaigns:
    """Campaigns of an earlier run, to be recognised by their frames. Missing or unreadable findings mean none."""

    def __init__(self, out: Path) -> None:
        self._frames: list[tuple[str, set[str]]] = []
        try:
            known = msgspec.json.decode((out / "campaigns.json").read_bytes(), type=_KnownCampaigns)
        except (OSError, msgspec.MsgspecError):
            return
        for campaign in known.campaigns:
            self._frames += [(campaign.campaign_id, set(template.sketch)) for template in campaign.templates]

    def name(self, group: Group) -> str:
        """Return the id of a group of families: the known one whose frame it shares, else one made from its frame."""
        largest = group.families[0]
        own = set(frame_sketch(largest.core if largest.core.size else largest.tokens))
        best, name = 0.0, ""
        for known, frame in self._frames:
            likeness = len(own & frame) / max(1, len(own | frame))
            if likeness > best:
                best, name = likeness, known
        return name if best >= _SAME_FRAME else campaign_id([min(own)])
