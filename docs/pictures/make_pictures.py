"""Make the README's pictures from a real sweep's directory.

    python docs/pictures/make_pictures.py outputs/study

writes report.png, the top of the report in headless Chromium, and confusion.png, the confusion
matrix of the last configuration in the tables, beside this file.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from mnist_sweep.report_images import images_of  # noqa: E402
from mnist_sweep.reporting.report import write_report  # noqa: E402
from support import chromium  # noqa: E402

WIDTH, HEIGHT = 1280, 1000


def main(directory: str) -> None:
    """Write both pictures."""
    if not chromium.is_installed():
        sys.exit(chromium.MISSING)
    with tempfile.TemporaryDirectory() as place:
        written = write_report([directory], place, images=images_of([directory]))
        matrices = [
            path for path in written.figures
            if path.name.startswith("confusion-layers") and path.suffix == ".png"
        ]  # fmt: skip
        if not matrices:
            sys.exit(f"Expected a sweep with a finished run in {directory}, but found none.")
        shutil.copyfile(matrices[-1], HERE / "confusion.png")
        browser = chromium.start()
        try:
            chromium.prefer(browser, "light")
            chromium.resize(browser, WIDTH, HEIGHT)
            browser.get(written.page.as_uri())
            chromium.drawn(browser)
            browser.save_screenshot(str(HERE / "report.png"))
        finally:
            browser.quit()
    print(f"Pictures: {HERE / 'report.png'}, {HERE / 'confusion.png'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python docs/pictures/make_pictures.py DIR")
    main(sys.argv[1])
