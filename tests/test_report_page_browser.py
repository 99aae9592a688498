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


def shot(page, name):
    """Keep a picture of the whole page where AVZSL_SCREENSHOTS asks for it."""
    folder = os.environ.get("AVZSL_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_asks_for_nothing_and_shows_all_images(project, browser, width, scheme):
    size = {"width": width, "height": 900}
    with opened(browser, project.path / PAGE, viewport=size, color_scheme=scheme) as found:
        page = found.page
        page.wait_for_load_state("networkidle")
        shot(page, f"report-{width}-{scheme}")
        assert found.requests == []
        assert found.messages == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        images = page.locator("img")
        assert images.count() >= 3
        for image in images.all():
            image.scroll_into_view_if_needed()
            assert image.is_visible()
            assert image.evaluate("image => image.naturalWidth") > 0
            assert image.evaluate("image => image.getBoundingClientRect().right <= innerWidth")
            assert image.get_attribute("alt")


def test_headings_are_in_order_and_links_lead_somewhere(project, browser):
    with opened(browser, project.path / PAGE) as found:
        levels = found.page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
        )
        ids = found.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        targets = found.page.evaluate(
            "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href').slice(1))"
        )
        language = found.page.evaluate("document.documentElement.lang")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(set(ids)) == len(ids)
    assert targets and set(targets) <= set(ids)
    assert language == "en"


def test_tables_can_be_read_by_those_who_hear_them(project, browser):
    with opened(browser, project.path / PAGE) as found:
        page = found.page
        tables = page.locator("table")
        assert tables.count() >= 8
        for table in tables.all():
            assert table.locator("caption").count() == 1
            assert table.locator("thead th:not([scope])").count() == 0
            rows = table.locator("tbody tr").count()
            assert table.locator("tbody th[scope=row]").count() == rows > 0
        alignment = page.locator("td.number").first.evaluate("td => getComputedStyle(td).textAlign")
        assert alignment == "right"


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


def test_awkward_class_names_are_text(project, browser):
    found = (project.path / PAGE).read_text(encoding="utf-8")
    assert EVIL not in found
    assert "<script" not in found


def test_the_page_follows_the_configuration(project, tmp_path):
    later = project.copy(tmp_path / "later")
    assert later.jobs(PAGE) == []
    later.edit(methods={"devise": {"training": {"epochs": 3}}})
    assert "report" in later.jobs(PAGE)
    assert "epochs: 3" in (later.path / PAGE).read_text(encoding="utf-8")


def test_benchmark_files_that_are_gone_are_said(project, tmp_path):
    later = project.copy(tmp_path / "later")
    shutil.rmtree(later.path / "logs")
    later.run(PAGE, "--forcerun", "report")
    assert "No benchmark files of: manifest" in (later.path / PAGE).read_text(encoding="utf-8")
