"""Takes report.png, the picture in README.md, from the report that `make demo` leaves: python docs/images/report.py."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

REPORT = Path("out/demo/heron/findings/report.html")
PICTURE = Path(__file__).with_name("report.png")
WIDTH = 980
BELOW = 24


def take() -> None:
    """Photograph the first campaign, from its headline to the end of the waterfall of its evidence."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 2400})
        page.goto(REPORT.resolve().as_uri())
        top = page.locator("#campaign-1").bounding_box()
        chart = page.locator("#campaign-1 figure").first.bounding_box()
        if top is None or chart is None:
            message = f"{REPORT} shows no campaign with evidence"
            raise ValueError(message)
        height = chart["y"] + chart["height"] + BELOW - top["y"]
        page.screenshot(path=PICTURE, clip={"x": 0, "y": top["y"] - BELOW, "width": WIDTH, "height": height})
        browser.close()


if __name__ == "__main__":
    take()
