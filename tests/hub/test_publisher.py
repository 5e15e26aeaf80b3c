import threading
from pathlib import Path

import pytest
from tests.hub.site import Desk, Site, indicator, open_site

from stillwatch.errors import PolicyRefusedError
from stillwatch.hub import publisher
from stillwatch.hub.publisher import Publisher
from stillwatch.hub.storage import schema
from stillwatch.transparency.verify import verify_log


def test_every_leaf_goes_to_the_log_once(site: Site, north: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "_AT_ONCE", 2)
    for _ in range(5):
        north.share(indicator())
    carrier = Publisher(site.hub.storage, site.hub.log)
    assert carrier.publish() == 5
    assert carrier.publish() == 0
    north.share(indicator())
    assert Publisher(site.hub.storage, site.hub.log).publish() == 1
    assert site.hub.log.size == 6
    verify_log(site.hub.log_dir)


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    for size in (1, 2):
        with open_site(tmp_path) as site:
            site.desk(f"m{size}").share(indicator())
            Publisher(site.hub.storage, site.hub.log).publish()
            assert site.hub.log.size == size


def test_a_database_that_was_set_back_is_refused(lite: Site) -> None:
    lite.desk("north").share(indicator())
    Publisher(lite.hub.storage, lite.hub.log).publish()
    with lite.hub.storage.writing() as db:
        db.execute(schema.leaf.delete())
    with pytest.raises(PolicyRefusedError, match="1 entries that the database does not have"):
        Publisher(lite.hub.storage, lite.hub.log)


def test_it_runs_until_it_is_told_to_end(
    lite: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(publisher, "EVERY_S", 0.01)
    carrier = Publisher(lite.hub.storage, lite.hub.log)
    running = threading.Thread(target=carrier.run)
    running.start()
    lite.desk("north").share(indicator())
    while lite.hub.log.size < 1:
        pass
    lite.hub.log.close()  # as after an error of the disk
    lite.desk("south").share(indicator())
    while "the audit log waits" not in caplog.text:
        pass
    carrier.end()
    running.join()
