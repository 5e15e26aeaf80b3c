import os
from pathlib import Path

import pytest

from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.material import Material
from stillwatch_range.scenario import Scenario, build_window
from stillwatch_range.text import ANALYST, invent_material
from stillwatch_range.truth import Truth
from stillwatch_range.workloads import Workload

SMALL_WORKLOADS = (
    Workload("classifier", accounts=6, strangers=False, items=20, earlier_items=10),
    Workload("benchmark", accounts=5, strangers=True, items=30, earlier_items=15, pool=60),
    Workload("summaries", accounts=1, strangers=False, items=40, earlier_items=20),
    Workload("licensed", accounts=2, strangers=False, items=25, earlier_items=10, licence="distillation"),
)


@pytest.fixture(scope="session")
def material() -> Material:
    return invent_material(seed=5, talks=1400)


@pytest.fixture(scope="session")
def small() -> Scenario:
    return Scenario(
        name="small",
        campaigns=(CampaignPlan(family=ANALYST, accounts=20, exchanges=120),),
        benign_accounts=150,
        history_accounts=150,
        workloads=SMALL_WORKLOADS,
    )


@pytest.fixture(scope="session")
def built(material: Material, small: Scenario, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    out = tmp_path_factory.mktemp("window")
    return out, build_window(material, out, small, seed=3)


@pytest.fixture(scope="session")
def corpora() -> Path:
    named = os.environ.get("STILLWATCH_CORPORA")
    root = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    directory = root / "traffic"
    if not directory.is_dir():
        pytest.skip(f"the shared corpora are not at {directory}; set STILLWATCH_CORPORA")
    return directory
