"""How large the report's page of a thousand cells is, how long it takes to write and to open, and how it looks.

python -m tests.measurements.report_page RESULTS --out FOLDER

RESULTS holds the records of one training with their pictures (``make bench``); they are repeated under other names of
classifiers and other seeds. Written below FOLDER: the records, the report, and pictures of its parts at the width of a
desktop and of a phone, light and dark (playwright and a Chromium of the system).
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.report.build import INDEX, build_report
from benchmark.storage.hashing import own_checksum
from benchmark.storage.records import Record, read_records

SEEDS = 2  # trainings of each setting
PARTS = ("verdict", "figures", "tables", "gallery", "about")
VIEWS = (("desktop", 1280, 900), ("phone", 390, 844))


def repeat(records: list[Record], settings: int, out: Path) -> int:
    """Writes the records under ``settings`` classifiers and two seeds each; returns how many cells there are."""
    count = 0
    for place in range(settings):
        for seed in range(SEEDS):
            for record in records:
                cell = renamed(record.cell, place, seed)
                folder = out / cell["name"]
                folder.mkdir(parents=True)
                for name in cell["checksums"]:
                    (folder / name).symlink_to((record.folder / name).resolve())
                (folder / "cell.json").write_text(json.dumps(cell))
                count += 1
    return count


def renamed(cell: dict[str, Any], place: int, seed: int) -> dict[str, Any]:
    """The same cell as if of another classifier and seed."""
    found = copy.deepcopy(cell)
    label, number = f"net_{place:02d}", f"{place:02x}{seed:02x}"
    found |= {"classifier": label, "seed": seed, "cell": number + cell["cell"][4:]}
    found["name"] = f"{cell['name'].replace(cell['classifier'], label)}-{number}"
    found["config"]["seed"] = seed
    for part in ("classifier", "interpreter", "probe"):
        found["config"][part]["seed"] = seed
    found["config"]["classifier"]["label"] = label
    found["artefacts"]["classifier"] = f"{label}-{seed}"
    return {**found, "checksum": own_checksum(found)}


def opened(page_file: Path, out: Path) -> Iterator[str]:
    """A line on each width and scheme: how long the page took, and what went wrong in it."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, width, height in VIEWS:
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                errors: list[str] = []
                page.on("console", lambda message, said=errors: said.append(message.text))
                page.on("pageerror", lambda error, said=errors: said.append(str(error)))
                session = context.new_cdp_session(page)
                session.send("Performance.enable", {"timeDomain": "threadTicks"})
                start = time.perf_counter()
                page.goto(page_file.as_uri())
                page.wait_for_selector("[data-table]")
                seconds = time.perf_counter() - start
                metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
                wide = page.evaluate("document.documentElement.scrollWidth")
                yield (
                    f"{name}, {scheme}: first table after {seconds:.2f} s, {metrics['TaskDuration']:.2f} s of CPU "
                    f"time of the page; {wide} px wide of {width}; {errors or 'no error'}"
                )
                for part in PARTS:
                    if page.query_selector(f"#{part}"):
                        page.evaluate(f"document.getElementById('{part}').scrollIntoView()")
                        page.wait_for_timeout(1500)
                        page.screenshot(path=out / f"{name}_{scheme}_{part}.png")
                context.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--settings", type=int, default=19)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    records = [record for record in read_records(options.results) if record.cell["status"] == "done"]
    records = [record for record in records if record.cell["seed"] == records[0].cell["seed"]]
    count = repeat(records, options.settings, options.out / "results")
    start, work = time.perf_counter(), time.process_time()
    page = build_report(options.out / "results", options.out / "report").with_name(INDEX)
    seconds, work = time.perf_counter() - start, time.process_time() - work
    told = json.loads(page.read_text().split('id="page">')[1].split("</script>")[0])
    samples = sum(len(told["sheets"][number]["rows"]) for number in told["gallery"])
    sys.stdout.write(
        f"{count} cells in {options.settings} settings, {samples} samples: {page.stat().st_size / 1e6:.1f} MB, "
        f"written in {seconds:.0f} s ({work:.0f} s of CPU time)\n"
    )
    for line in opened(page, options.out):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
