"""The report page of a small finished project, made by its rule and opened by a real browser."""

import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from browser import opened, start
from project import make_project

PAGE = "results/report.html"
WIDTHS = (1280, 400)
IMAGES = """[...document.images].map(image => ({
  fits: image.getBoundingClientRect().right <= innerWidth,
  drawn: image.checkVisibility() && image.naturalWidth > 0,
  alt: image.alt,
}))"""
TABLES = """[...document.querySelectorAll('table')].map(table => ({
  captions: table.querySelectorAll('caption').length,
  unscoped: table.querySelectorAll('thead th:not([scope])').length,
  rows: table.querySelectorAll('tbody tr').length,
  named: table.querySelectorAll('tbody th[scope=row]').length,
}))"""
STUDY = {
    "dataset": "elsewhere",
    "features": "signal",
    "variants": {"linear": {"method": "devise"}, "moved": {"method": "ez-avgzl"}},
}
EVIL = 'red <b>"square"</b> & co'

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with an awkward class name, a clip that is gone and one that is broken."""
    project = make_project(tmp_path_factory.mktemp("report") / "project")
    head, *rows = project.rows()
    renamed = rows[0][1]
    rows = [[path, EVIL if name == renamed else name, subset] for path, name, subset in rows]
    tests = [row for row in rows if row[2] == "test_seen"]
    folder = project.path
    (folder / tests[0][0]).unlink()
    (folder / tests[1][0]).write_bytes(b"no video")
    project.write_rows([head, *rows])
    project.edit(tables=["mine_signal"])
    project.run(PAGE)
    return project


@pytest.fixture(scope="module")
def browser():
    with start() as browser:
        yield browser


@pytest.fixture(scope="module")
def found(project, browser):
    """The page, opened once for all that is asked of it."""
    with opened(browser, project.path / PAGE) as found:
        found.page.wait_for_load_state("networkidle")
        yield found


def shot(page, name):
    """Keep a picture of the whole page where AVZSL_SCREENSHOTS asks for it."""
    folder = os.environ.get("AVZSL_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_asks_for_nothing_and_shows_all_images(found, width, scheme):
    page = found.page
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    shot(page, f"report-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    images = page.evaluate(IMAGES)
    assert len(images) >= 3
    assert all(image["fits"] and image["drawn"] and image["alt"] for image in images), images
    assert found.requests == []
    assert found.messages == []


def test_headings_are_in_order_and_links_lead_somewhere(found):
    levels = found.page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    ids = found.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    targets = found.page.evaluate(
        "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href').slice(1))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(set(ids)) == len(ids)
    assert targets and set(targets) <= set(ids)
    assert found.page.evaluate("document.documentElement.lang") == "en"


def test_tables_can_be_read_by_those_who_hear_them(found):
    tables = found.page.evaluate(TABLES)
    assert len(tables) >= 8
    for table in tables:
        assert table["captions"] == 1 and table["unscoped"] == 0
        assert table["named"] == table["rows"] > 0
    number = found.page.locator("td.number").first
    assert number.evaluate("td => getComputedStyle(td).textAlign") == "right"


def test_it_works_without_scripts_and_says_what_was_used(project, browser):
    with opened(browser, project.path / PAGE, java_script_enabled=False) as found:
        text = found.page.locator("body").inner_text()
    assert "chance for zsl: 16.67 %" in text.lower()
    assert "1 of them missing on disk" in text
    assert "there is no such file" in text
    assert "cannot open the file" in text
    assert "Test clips of mine that are not scored" in text
    ids = json.loads((project.path / "results/.mine_signal.csv.id.json").read_text())
    assert ids["table_id"] in text
    evaluation = project.path / "results/evaluations/mine/signal/devise/seed0.json"
    assert json.loads(evaluation.read_text())["run_id"] in text


def test_awkward_class_names_are_text(project):
    text = (project.path / PAGE).read_text(encoding="utf-8")
    assert EVIL not in text
    assert "<script" not in text


def test_the_page_follows_the_configuration_studies_and_what_is_gone(project, tmp_path):
    later = project.copy(tmp_path / "later")
    assert later.jobs(PAGE) == []
    later.edit(studies={"both": STUDY})
    assert later.jobs("results/tables/mine_signal/both.csv") == ["study_on"]
    shutil.rmtree(later.path / "logs")
    assert later.jobs(PAGE) == ["report"]
    text = (later.path / PAGE).read_text(encoding="utf-8")
    assert "dataset: elsewhere" in text
    assert "Runs of the study mine_signal/both" in text
    assert "mine_signal/both: moved" in text
    assert "No benchmark files of: manifest" in text
