import json
import os
from pathlib import Path

import pytest
from tests.sharing.matching.factories import Vectors

CORPORA = Path(os.environ.get("STILLWATCH_CORPORA", Path(__file__).parents[4] / "shared/data"))


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    path = CORPORA / "oprf/rfc9497_vectors.json"
    if not path.exists():
        pytest.skip(f"{path} is absent: the vectors of RFC 9497 were NOT checked; STILLWATCH_CORPORA names their place")
    suites = json.loads(path.read_text())
    (found,) = [suite for suite in suites if suite["mode"] == 1 and suite["identifier"] == "ristretto255-SHA512"]
    return Vectors(found)
