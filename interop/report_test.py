#!/usr/bin/env python3
"""Opens the report of the demo in a headless Chromium and uses it; opens its exports in the programs that they are for.

    interop/.venv/bin/python interop/report_test.py [--laser target/release/laser]
        [--chromium /usr/bin/chromium] [--run RUN] [--screenshots DIR]

Needs a built `laser`, a Chromium, and what interop/requirements.txt lists. `--run` takes a finished
search in place of the demo's. At 1280 and 390 pixels, light and dark: no line on the console, no
request but the page itself, nothing wider than the window. Then cell, measure, filter and sort are
used; the page is read without scripts; texts of the RUN folder are made hostile and must be shown as
text; the page is printed to PDF. `--screenshots` keeps pictures. Exits 1 with what is wrong.
"""

import argparse
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from playwright.sync_api import sync_playwright

HOSTILE = "</script><script>document.title='taken'</script></style><b>\"'&\x00\x1b[31m\u202e<!--"
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")


def check(condition, what):
    if not condition:
        sys.exit(f"report_test: {what}")


def laser(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    check(done.returncode == 0, f"laser {arguments}: {done.stderr}")
    return done.stdout


class Page:
    """A page in a window of its own, with what it says and asks for."""

    def __init__(self, browser, path, width=1280, scheme="light", scripts=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda line: self.said.append(line.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(pathlib.Path(path).resolve().as_uri())

    def __enter__(self):
        return self.page

    def __exit__(self, *error):
        self.context.close()
        if error[0] is None:
            check(not self.said, f"the console says {self.said}")
            check(len(self.asked) == 1, f"the page asks for {self.asked}")


def looks(browser, path, pictures):
    """Every width and scheme: quiet, and nothing is cut off."""
    for width in WIDTHS:
        for scheme in SCHEMES:
            with Page(browser, path, width, scheme) as page:
                wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                check(wider <= 0, f"at {width} pixels the page is {wider} pixels wider than the window")
                cut = page.evaluate(CUT_OFF)
                check(not cut, f"at {width} pixels these letters are cut off: {cut}")
                if pictures:
                    page.screenshot(path=pictures / f"{path.stem}-{width}-{scheme}.png", full_page=True)


# Texts of a drawing that reach beyond it.
CUT_OFF = """[...document.querySelectorAll("figure svg text")].filter((text) => {
    const outer = text.closest("figure .drawings > svg, .measure > svg, #cell > svg") || text.ownerSVGElement;
    if (outer.getBoundingClientRect().width === 0) return false;
    const [a, b] = [text.getBoundingClientRect(), outer.getBoundingClientRect()];
    return a.left < b.left - 2 || a.right > b.right + 2 || a.top < b.top - 2 || a.bottom > b.bottom + 2;
}).map((text) => text.textContent)"""


def is_used(browser, path):
    """A cell opens its curve, the measure switches, answers are filtered and sorted."""
    with Page(browser, path) as page:
        cells = page.locator(".measure[data-measure=accuracy] .cell")
        check(cells.count() > 0, "there is no cell")
        name = cells.first.get_attribute("data-cell")
        cells.first.click()
        check(name in page.locator("#cell h3").inner_text(), "a cell does not open its curve")
        before = page.locator("#cell").inner_text()
        cells.nth(1).focus()
        page.keyboard.press("Enter")
        check(page.locator("#cell").inner_text() != before, "a cell does not open by the keyboard")
        page.locator(".switch button[data-measure=log_loss]").click()
        check(not page.locator(".measure[data-measure=accuracy]").is_visible(), "the measure does not switch")
        check(page.locator(".measure[data-measure=log_loss]").is_visible(), "the measure does not switch")
        rows = page.locator("#changed tbody tr")
        if rows.count() == 0:
            return
        answer = rows.first.locator("td").nth(2).inner_text()
        page.fill("#filter", answer)
        left = [row for row in rows.all() if row.is_visible()]
        check(0 < len(left) <= rows.count(), "the filter leaves nothing")
        check(all(answer.lower() in row.inner_text().lower() for row in left), "the filter leaves other rows")
        page.fill("#filter", "no text has this in it")
        check(not any(row.is_visible() for row in rows.all()), "the filter filters nothing")
        page.fill("#filter", "")
        page.select_option("#kind", "gained")
        check(all("gained" in row.get_attribute("class") for row in rows.all() if row.is_visible()), "kinds are mixed")
        page.select_option("#kind", "")
        sort = page.locator("#changed th button").nth(5)
        for sign in (1, -1):
            sort.click()
            values = [float(row.locator("td").nth(5).inner_text()) for row in rows.all()]
            check(values == sorted(values, key=lambda value: sign * value), "the answers are not sorted")


def works_without_scripts(browser, path):
    with Page(browser, path, scripts=False) as page:
        for measure in ("accuracy", "log_loss"):
            check(page.locator(f".measure[data-measure={measure}]").is_visible(), "a heat map is missing without scripts")
        page.locator("#map summary").click()
        data = json.loads(page.locator("#data").text_content())
        table = page.locator("#map table").first.inner_text()
        for row in data["sweep"]["rows"]:
            check(f"{row['layer']}.{row['matrix']}" in table, "a matrix is missing without scripts")
            for value in row["accuracy"]:
                check(value is None or f"{100 * value:.1f}" in table, f"{value} is missing without scripts")


def prints_whole(browser, path):
    """On paper both heat maps and all rows are there, and nothing to click on."""
    for scripts in (True, False):
        with Page(browser, path, scripts=scripts) as page:
            rows = page.locator("#changed tbody tr")
            if scripts and rows.count() > 0:
                page.fill("#filter", "no text has this in it")
            page.emulate_media(media="print")
            for measure in ("accuracy", "log_loss"):
                check(page.locator(f".measure[data-measure={measure}]").is_visible(), "a heat map is not printed")
            if rows.count() > 0:
                check(rows.first.is_visible(), "a filtered row is not printed")
            for control in (".filter", ".switch", "#cell"):
                shown = [it for it in page.locator(control).all() if it.is_visible()]
                check(not shown, f"{control} is printed")


def hostile_texts_are_text(browser, program, run, scratch, pictures):
    """The texts of a RUN folder are replaced by hostile ones."""
    copy = scratch / "hostile"
    shutil.copytree(run, copy)
    lines = [json.loads(line) for line in (copy / "examples.jsonl").read_text().splitlines()]
    for line in lines:
        line["prompt"], line["question"] = HOSTILE + line["prompt"], 0
    (copy / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    entries = [json.loads(line) for line in (copy / "journal.jsonl").read_text().splitlines()]
    for entry in entries:
        for record in entry.get("records", []):
            if "generation" in record:
                record["generation"] = HOSTILE
    (copy / "journal.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    laser(program, "report", copy)
    looks(browser, copy / "report.html", None)
    with Page(browser, copy / "report.html") as page:
        check(page.title() != "taken", "a text of the task ran as a script")
        check(page.locator("script").count() == 2 and page.locator("style").count() == 1, "a text made an element")
        said = page.locator("#changed tbody tr td").nth(3).inner_text()
        check("</script><script>document.title='taken'</script></style><b>" in said, f"a text is shown as {said!r}")
        if pictures:
            page.screenshot(path=pictures / "hostile.png")


def exports_open(browser, program, run, scratch, pictures):
    import optuna
    import pyarrow.parquet
    from lm_eval.utils import get_file_task_name, get_results_filenames, get_sample_results_filenames, make_table

    forms = {"--csv": "csv", "--parquet": "run.parquet", "--optuna": "optuna.log", "--lm-eval": "lm_eval"}
    arguments = [text for option, name in forms.items() for text in (option, scratch / name)]
    laser(program, "report", run, "--out", scratch / "page.html", *arguments)
    verdict = json.loads((run / "verdict.json").read_text())

    table = pyarrow.parquet.read_table(scratch / "run.parquet").to_pylist()
    best = [row["value"] for row in table if row["split"] == "test" and row["edits"] != "base"]
    expected = verdict["edited"]["test"]["accuracy"]
    check(abs(sum(best) / len(best) - expected) < 1e-9, "the Parquet file has another accuracy")

    files = glob.glob(str(scratch / "lm_eval" / "*" / "*"))
    accuracies = []
    for name in get_results_filenames(files):
        results = json.loads(pathlib.Path(name).read_text())
        print(make_table(results))
        accuracies += [next(value for key, value in of.items() if key in ("acc,none", "exact_match,none", "acc_norm,none"))
                       for of in results["results"].values()]
    base = verdict["base"]["test"]["accuracy"]
    check(sorted(accuracies) == sorted([base, expected]), f"the harness reads {accuracies}")
    for name in get_sample_results_filenames(files):
        check(get_file_task_name(os.path.basename(name)), name)

    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(scratch / "optuna.log")))
    summaries = optuna.get_all_study_summaries(storage)
    check(len(summaries) > 0, "Optuna finds no study")
    study = optuna.load_study(study_name=summaries[0].study_name, storage=storage)
    importances = optuna.importance.get_param_importances(study, target=lambda trial: -trial.values[0])
    check(set(importances) == {"layer", "matrix", "edit"}, f"importances of {importances}")
    dashboard(browser, scratch / "optuna.log", pictures)


def dashboard(browser, journal, pictures, port=8756):
    program = pathlib.Path(sys.executable).parent / "optuna-dashboard"
    server = subprocess.Popen([program, journal, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api/studies", timeout=5)
                break
            except OSError:
                time.sleep(0.5)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{address}/dashboard/studies/0")
        page.get_by_text("Pareto Front").first.wait_for(timeout=60_000)
        if pictures:
            page.wait_for_timeout(5_000)
            page.screenshot(path=pictures / "optuna-dashboard.png")
        page.close()
    finally:
        server.terminate()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--laser", default="target/release/laser")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--run", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path)
    options = parser.parse_args()
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        scratch = pathlib.Path(folder)
        run = scratch / "run"
        if options.run:
            shutil.copytree(options.run, run)
        else:
            laser(options.laser, "demo", "--out", scratch / "demo", "--quiet")
            run = scratch / "demo" / "run"
        laser(options.laser, "report", run)
        report = run / "report.html"
        check(report.stat().st_size < 1_000_000, "the report is larger than a megabyte")
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        looks(browser, report, options.screenshots)
        is_used(browser, report)
        works_without_scripts(browser, report)
        prints_whole(browser, report)
        hostile_texts_are_text(browser, options.laser, run, scratch, options.screenshots)
        exports_open(browser, options.laser, run, scratch, options.screenshots)
        with Page(browser, report) as page:
            printed = page.pdf(format="A4")
            check(printed.startswith(b"%PDF"), "the page is not printed")
            if options.screenshots:
                (options.screenshots / "report.pdf").write_bytes(printed)
        browser.close()
    print("report_test: all is well")


if __name__ == "__main__":
    main()
