"""A campaign keeps its name from run to run: by its frame, its accounts, or an earlier run's findings beside it."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.grouping import Group
from stillwatch.identifiers import campaign_id

_SAME_FRAME = 0.3
_SAME_ACCOUNTS = 0.5
SKETCH_TOKENS = 64


class _KnownTemplate(msgspec.Struct):
    sketch: list[str] = []


class _KnownMember(msgspec.Struct):
    account_id: str


class _KnownCampaign(msgspec.Struct):
    campaign_id: str
    kind: str = ""
    templates: list[_KnownTemplate] = []
    accounts: list[_KnownMember] = []


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
        self._accounts: list[tuple[str, set[str]]] = []
        self._harvests: list[set[str]] = []
        self._given: set[str] = set()
        try:
            known = msgspec.json.decode((out / "campaigns.json").read_bytes(), type=_KnownCampaigns)
        except (OSError, msgspec.MsgspecError):
            return
        for campaign in known.campaigns:
            self._frames += [(campaign.campaign_id, set(template.sketch)) for template in campaign.templates]
            if campaign.kind == "harvest":
                self._harvests += [set(template.sketch) for template in campaign.templates]
            if not campaign.templates:
                self._accounts.append((campaign.campaign_id, {member.account_id for member in campaign.accounts}))

    def name(self, group: Group) -> str:
        """Return the id of a group of families: the known one whose frame it shares, else one made from its frame."""
        frame = group.families[0].frame
        own = set(frame_sketch(frame))
        likeness = {known: _likeness(own, other) for known, other in self._frames}
        alike = sorted((known for known, part in likeness.items() if part >= _SAME_FRAME), key=lambda k: -likeness[k])
        return self._give(alike, (campaign_id([f"{int(token):010x}"]) for token in _steadiest(frame)))

    def is_harvest(self, frame: npt.NDArray[np.uint64]) -> bool:
        """Tell whether the earlier run called a campaign with this frame a harvest."""
        own = set(frame_sketch(frame)) if self._harvests else set()
        return any(_likeness(own, other) >= _SAME_FRAME for other in self._harvests)

    def name_accounts(self, account_ids: list[str]) -> str:
        """Return the id of a campaign without a frame: the known one with most of the same accounts, else a new one.

        A new name is made from the account whose digest is smallest, which mostly stays when others come or go.
        """
        own = set(account_ids)
        common = {known: len(own & other) / max(1, min(len(own), len(other))) for known, other in self._accounts}
        alike = sorted((known for known, part in common.items() if part >= _SAME_ACCOUNTS), key=lambda k: -common[k])
        return self._give(alike, iter(sorted(campaign_id(["accounts", account]) for account in own)))

    def _give(self, alike: list[str], anchors: Iterator[str]) -> str:
        name = next(name for name in chain(alike, anchors) if name not in self._given)
        self._given.add(name)
        return name


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))
