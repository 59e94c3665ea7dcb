"""The pages of a small build: what Chromium makes of them, and their numbers beside the tables that they come from."""

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from ..tree import Tree
from .conftest import Page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    "--no-first-run",
]
INDEX, REPORT = "results/index.html", "results/sen4agrinet/report.html"
SECTIONS = {
    INDEX: {"overview"},
    REPORT: {
        *(
            "places",
            "examples",
            "crops",
            "label_quality",
            "distribution",
            "ndvi_profiles",
            "embedding",
            "scores",
            "acquisitions",
        ),
        *("pixels", "balance", "left_out", "provenance", "paper", "usage"),
    },
}
PHONE_PX, DESK_PX = 390, 1400
MOST_BYTES = 10_000_000

# Marks of a drawing that show something, axes and texts aside.
MARKS = "path, rect, circle, polygon, polyline, use, image, line:not(.grid)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def opened(browser: Browser, page: Path, *, width_px: int, dark: bool = False) -> tuple[Tab, list[str], list[str]]:
    """A page in a window, what it asked for, and what it complained of."""
    tab = browser.new_page(viewport={"width": width_px, "height": 900}, color_scheme="dark" if dark else "light")
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    return tab, asked, complaints


# --- in the browser -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [INDEX, REPORT])
def test_page_asks_for_nothing_but_itself_and_complains_of_nothing(browser: Browser, build: Path, page: str) -> None:
    tab, asked, complaints = opened(browser, build / page, width_px=DESK_PX)
    assert asked[0] == (build / page).as_uri()
    assert all(url.startswith("data:") for url in asked[1:])
    assert complaints == []
    tab.close()


@pytest.mark.parametrize("page", [INDEX, REPORT])
def test_every_section_is_there_and_no_picture_is_empty(browser: Browser, build: Path, page: str) -> None:
    tab, _, _ = opened(browser, build / page, width_px=DESK_PX)
    assert {section.get_attribute("id") for section in tab.query_selector_all("section")} == SECTIONS[page]
    drawings = tab.evaluate(
        """marks => [...document.querySelectorAll('figure svg[role=img], figure > svg')].map(svg => ({
            name: svg.getAttribute('aria-label'), marks: svg.querySelectorAll(marks).length,
            width: svg.getBoundingClientRect().width, height: svg.getBoundingClientRect().height}))""",
        MARKS,
    )
    assert drawings
    assert [item for item in drawings if min(item["marks"], item["width"], item["height"]) <= 0] == []
    pictures = tab.evaluate(
        """() => [...document.images].map(image => {
            const canvas = document.createElement('canvas');
            canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
            const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);
            const pixels = new Uint32Array(pen.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
            return {name: image.alt, shown: image.getBoundingClientRect().width,
                    width: image.naturalWidth, colours: new Set(pixels).size}})"""
    )
    assert len(pictures) >= {INDEX: 2, REPORT: 5}[page]
    assert [image for image in pictures if min(image["shown"], image["width"]) <= 0 or image["colours"] < 2] == []
    tab.close()


@pytest.mark.parametrize("page", [INDEX, REPORT])
def test_page_is_no_wider_than_a_phone(browser: Browser, build: Path, page: str) -> None:
    tab, _, _ = opened(browser, build / page, width_px=PHONE_PX)
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE_PX
    sizes = tab.evaluate(
        "[...document.querySelectorAll('p, td, th, figcaption')]"
        ".map(item => parseFloat(getComputedStyle(item).fontSize))"
    )
    assert min(sizes) >= 12
    tab.close()


@pytest.mark.parametrize("page", [INDEX, REPORT])
@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_the_paper_by_day_and_by_night(
    browser: Browser, build: Path, page: str, dark: bool
) -> None:
    tab, _, _ = opened(browser, build / page, width_px=DESK_PX, dark=dark)
    colours = tab.evaluate(
        "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name].match(/[0-9.]+/g).map(Number))"
    )
    paper, ink = (luminance(colour[:3]) for colour in colours)
    assert (paper < ink) == dark
    assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) >= 7
    tab.close()


def luminance(rgb: list[float]) -> float:
    """Relative luminance of an sRGB colour. SOURCE: WCAG 2.2."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_overview_leads_to_the_report_and_back(browser: Browser, build: Path) -> None:
    tab, _, _ = opened(browser, build / INDEX, width_px=DESK_PX)
    tab.click("h3 a")
    assert tab.url == (build / REPORT).as_uri()
    tab.click(".brand a")
    assert tab.url == (build / INDEX).as_uri()
    tab.close()


# --- numbers ------------------------------------------------------------------------------------------


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def report(build: Path) -> Page:
    return Page((build / REPORT).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def index(build: Path) -> Page:
    return Page((build / INDEX).read_text(encoding="utf-8"))


def test_every_element_is_closed_and_pictures_are_described(report: Page, index: Page) -> None:
    for page in (report, index):
        assert page.open == []
        assert all(attributes.get("alt") for tag, attributes in page.elements if tag == "img")
        assert not {"script", "iframe", "object"} & {tag for tag, _ in page.elements}


def test_products_of_the_report_are_those_of_the_lock(build: Path, report: Page, index: Page) -> None:
    lock = rows(build / "build/catalogue/products.csv")
    columns = ("tile", "year", "used", "reason")
    assert report.counts("products/") == Counter("/".join(row[column] for column in columns) for row in lock)
    assert report.counts("all_products/") == Counter(f"{row['used']}/{row['reason']}" for row in lock)
    used = sum(row["used"] == "yes" for row in lock)
    assert report.numbers["products_used"] == index.numbers["sen4agrinet/products_used"] == str(used)
    assert {row["product"] for row in lock} <= {text.strip() for text in report.text}


def test_marks_of_the_timeline_are_as_many_as_products(build: Path, report: Page) -> None:
    lock = rows(build / "build/catalogue/products.csv")
    css = Counter(attributes.get("class") for _, attributes in report.elements)
    reasons = {row["reason"] for row in lock if row["used"] == "no"}
    assert css["used"] == sum(row["used"] == "yes" for row in lock) + 1  # and one that explains
    assert css["leftout"] == sum(row["used"] == "no" for row in lock) + len(reasons)


def test_repairs_and_rejects_are_those_of_the_table(build: Path, report: Page) -> None:
    rejects = rows(build / "results/sen4agrinet/rejects.csv")
    columns = ("stage", "action", "reason")
    assert report.counts("rejects/") == Counter("/".join(row[c] for c in columns) for row in rejects)
    assert report.counts("rejects_in/") == Counter("/".join(row[c] for c in ("area", *columns)) for row in rejects)
    ledger = rows(build / "build/labels/es_ct_2019_ledger.csv")
    assert Counter(row["unit"] for row in rejects if row["stage"] == "harmonise_parcels") == Counter(
        row["unit"] for row in ledger
    )


def test_the_balance_of_the_report_is_that_of_the_table(build: Path, report: Page) -> None:
    by_split: Counter[str] = Counter()
    by_area: Counter[str] = Counter()
    for row in rows(build / "results/sen4agrinet/balance.csv"):
        term = "/".join([row["term"], row["reason"]]).rstrip("/")
        for split in {row["split"], ""}:
            by_split[f"{row['flow']}/{row['scenario']}/{split}/{term}"] += int(row["count"])
        if row["area"]:
            by_area[f"{row['area']}/{row['flow']}/{row['scenario']}/{row['split']}/{term}"] += int(row["count"])
    assert report.counts("balance/") == by_split
    assert report.counts("balance_in/") == by_area
    for key, entered in by_split.items():
        flow, _, term = key.rpartition("/")
        if term == "entered":
            rejected = sum(count for other, count in by_split.items() if other.startswith(f"{flow}/rejected/"))
            assert entered == by_split[f"{flow}/left"] + rejected


def test_training_samples_of_the_report_are_those_of_the_experiments(build: Path, report: Page) -> None:
    shown: Counter[str] = Counter()
    for file in (build / "results/sen4agrinet/experiments").glob("*/*/samples.csv"):
        for row in rows(file):
            fate = f"used/{row['split']}" if row["fate"] == "used" else row["fate"]
            shown[f"{file.parent.name}/{row['unit']}/{fate}"] += int(row["number"])
    assert shown
    assert +Counter(report.counts("training/")) == shown


def test_quality_of_labels_is_that_of_the_table(build: Path, report: Page) -> None:
    shown = report.counts("quality/es_ct/2019/")
    assessed = rows(build / "build/labels/31TCG_2019_quality.csv")
    table = {f"{row['resolution_m']}/{name}": int(value) for row in assessed for name, value in row.items()}
    ledger = Counter(f"{row['action']}/{row['reason']}" for row in rows(build / "build/labels/es_ct_2019_ledger.csv"))
    assert shown.items() <= {**table, **ledger}.items()
    assert set(ledger) <= set(shown)
    assert {f"{r}/{name}" for r in (10, 20, 60) for name in ("pure_pixels", "below_1", "without_pure")} <= set(shown)


def test_samples_and_parcels_of_each_split_are_those_of_the_tables(build: Path, report: Page) -> None:
    results = build / "results/sen4agrinet"
    samples = Counter(f"{row['scenario']}/{row['split']}" for row in rows(results / "splits.csv"))
    assert report.counts("splits/") == samples
    parcels = rows(results / "parcel_splits.csv")
    counted = Counter(f"{row['scenario']}/{row['split']}/{row['reason']}" for row in parcels)
    assert +Counter(report.counts("parcel_splits/")) == counted
    seen = [row for row in rows(results / "leakage.csv") if row["check"] == "parcels_seen_in_another_split"]
    assert report.counts("seen/") == {row["scenario"]: int(row["number"]) for row in seen} != {}
    assert sum(report.counts("parcel_map/").values()) == len(parcels) - sum(r["reason"] == "no_pixel" for r in parcels)


def test_scores_of_the_report_are_those_of_the_experiments(build: Path, report: Page) -> None:
    shown = {key: value for key, value in report.numbers.items() if key.startswith("scores/")}
    measured = {
        f"scores/{file.parent.name}/{row['metric']}": row["value"]
        for file in (build / "results/sen4agrinet/experiments").glob("*/*/metrics.csv")
        for row in rows(file)
        if not row["class"]
    }
    assert {key.split("/")[1] for key in shown} == {key.split("/")[1] for key in measured}
    assert {key: float(value) for key, value in shown.items()} == {key: float(measured[key]) for key in shown}


def test_pixels_predicted_right_are_those_of_the_predictions(build: Path, report: Page) -> None:
    table = pq.read_table(build / "results/sen4agrinet/experiments/pad/scenario1_unet/predictions.parquet")
    pairs = [
        (p, t)
        for predicted, truth in zip(table["predicted"].to_pylist(), table["truth"].to_pylist(), strict=True)
        for p, t in zip(predicted, truth, strict=True)
        if t
    ]
    # One test patch holds all sub-patches of the test.
    assert list(report.counts("predicted/").values()) == [len(pairs)]
    assert list(report.counts("right/").values()) == [sum(p == t for p, t in pairs)]


def test_usage_of_each_rule_is_that_beside_its_logs(build: Path, report: Page) -> None:
    files = sorted((build / "logs").rglob("*.usage.json"))
    jobs = Counter(path.relative_to(build / "logs").parts[0].removesuffix(".usage.json") for path in files)
    shown = {key: value for key, value in report.numbers.items() if re.fullmatch(r"usage/\w+/jobs", key)}
    pages = {"write_report", "write_index"}  # not yet ended
    assert {key.split("/")[1]: int(value) for key, value in shown.items()} == {
        rule: count for rule, count in jobs.items() if rule not in pages
    }
    reads = [json.loads(path.read_text(encoding="utf-8")) for path in files if "read_s2" in str(path)]
    assert float(report.numbers["usage/read_s2/cpu_s"]) == pytest.approx(sum(read["cpu_s"] for read in reads))
    assert float(report.numbers["usage/read_s2/peak_mb"]) == max(read["peak_mb"] for read in reads)


def test_page_is_small(build: Path) -> None:
    assert (build / REPORT).stat().st_size < MOST_BYTES


# --- the simulation's truth ---------------------------------------------------------------------------


def test_faults_of_the_products_appear_with_their_number(build: Path, report: Page) -> None:
    truth = rows(build / "archive/simulated/31TCG_2019_truth.csv")
    kinds = Counter((row["fault"], row["expected"]) for row in truth)
    dark = {
        row["unit"]: sum(map(int, re.findall(r"B\w\w (\d+)", row["detail"]))) for row in truth if row["fault"] == "dark"
    }
    shown = {
        ("cloudy", "cloud"): report.numbers["all_products/no/cloud"],
        ("reprocessed", "older_processing_baseline"): report.numbers["all_products/no/older_processing_baseline"],
        ("split_datatake", "none"): 2 * int(report.numbers["scenes_with/several_products"]),
        ("swath_edge", "none"): report.numbers["scenes_with/partly_covered"],
        ("dark", "none"): report.numbers["scenes_with/clamped"],
        ("saturated", "none"): report.numbers["scenes_with/saturated"],
        ("degraded", "none"): report.numbers["scenes_with/defective"],
        # Both are read in processing baseline 05.00, and their offset is applied.
        ("reprocessed", "none"): int(report.numbers["scenes/05.00/-1000/simulated"])
        - kinds["reprocessed_only", "none"],
        ("reprocessed_only", "none"): int(report.numbers["scenes/05.00/-1000/simulated"])
        - kinds["reprocessed", "none"],
    }
    assert {kind: int(count) for kind, count in shown.items()} == kinds
    scene_of = {row["product"]: row["scene"] for row in rows(build / "build/catalogue/products.csv")}
    clamped = report.counts("clamped_in/")
    assert {product: clamped[scene_of[product]] for product in dark} == dark


def test_faults_of_the_declarations_appear_with_their_number(build: Path, report: Page) -> None:
    truth = [row for file in build.rglob("archive/simulated/declarations/es_ct/**/*.truth.csv") for row in rows(file)]
    expected = Counter(row["expected"] for row in truth if row["expected"] != "none")
    by_reason: Counter[str] = Counter()
    for key, count in report.counts("rejects_in/es_ct_2019/harmonise_parcels/").items():
        by_reason[key.rpartition("/")[2]] += count
    # Rows of the ledger are one for each unknown code; the parcels that have one are counted among the crops.
    by_reason["unknown_code"] = int(report.numbers["unknown/es_ct/2019"])
    assert by_reason == expected
    assert {row["fault"] for row in truth if row["expected"] == "none"} == {"hole"}


# --- logs come and go ---------------------------------------------------------------------------------


def test_deleted_logs_rerun_nothing_and_the_report_says_what_it_misses(build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(build, folder, symlinks=True)
    shutil.rmtree(folder / "logs")
    tree = Tree(folder, folder / "src")
    assert tree.planned() == {}
    (folder / REPORT).unlink()
    tree.build(REPORT)
    page = Page((folder / REPORT).read_text(encoding="utf-8"))
    assert not [key for key in page.numbers if key.startswith("usage/")]
    assert re.search(
        r"No figures of: aggregate_parcels, assess_labels, assign_parcel_splits, .*weigh_parcels", page.words()
    )
