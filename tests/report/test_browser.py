"""Pages in a real browser, from a file: nothing to complain about, and they react."""

import shutil
from pathlib import Path

import pytest

from warpwise.sim import cli_view
from warpwise.sim.machine.load import load
from warpwise.sim.report import sources
from warpwise.sim.report.pipeline import Window, record
from warpwise.sim.report.report_page import page
from warpwise.traces.handwritten import parse

from .conftest import kernel

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1280,1600", "--disable-dev-shm-usage"),
)
KINDS = {
    "run": ["first"],
    "runs": ["first", "second"],
    "validation": ["validation"],
    "sweep": ["sweep"],
}
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, folders, tmp_path):
    """Opens the report of some folders from a file, and keeps a picture of it."""

    def open_report(kind):
        content = sources.read([folders[name] for name in KINDS[kind]])
        return show(browser, page(content), tmp_path, f"report_{kind}")

    return open_report


def show(browser, html, folder, name):
    path = folder / f"{name}.html"
    path.write_text(html)
    browser.get(path.as_uri())
    SCREENSHOTS.mkdir(exist_ok=True)
    browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
    return browser


def column(browser, table, number):
    script = "return [...document.querySelectorAll('table')[arguments[0]].tBodies[0].rows]"
    return browser.execute_script(
        f"{script}.map(r => r.cells[arguments[1]].textContent)", table, number
    )


@pytest.mark.parametrize("kind", KINDS)
def test_reports_open_without_a_complaint(opened, kind):
    browser = opened(kind)
    assert browser.get_log("browser") == []
    figures = browser.find_elements("css selector", "figure svg")
    assert figures
    assert all(min(figure.size.values()) > 100 for figure in figures)


def test_reports_fit_the_window(opened):
    browser = opened("validation")
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(script) == 0


def test_numbers_sort_as_numbers_and_back(opened):
    browser = opened("validation")
    heading = browser.find_elements("css selector", "table th button")[5]
    assert heading.text == "simulated"
    heading.click()
    up = [int(text.replace(",", "")) for text in column(browser, 0, 5)]
    assert up == sorted(up)
    assert len(set(up)) == 12
    heading.click()
    down = [int(text.replace(",", "")) for text in column(browser, 0, 5)]
    assert down == up[::-1]
    marks = [th.get_attribute("aria-sort") for th in browser.find_elements("css selector", "th")]
    assert marks[5] == "descending"
    assert set(marks[:5]) == {"none"}


def test_text_sorts_as_text_by_keyboard(opened):
    browser = opened("validation")
    browser.find_elements("css selector", "table th button")[1].send_keys("\ue007")  # Enter
    names = column(browser, 0, 1)
    assert names == sorted(names, key=str.lower)
    assert names[0] == "l1_bw_128"


def test_the_data_of_a_plot_can_be_had(opened):
    browser = opened("validation")
    link = browser.find_element("css selector", "figcaption a")
    assert link.get_attribute("download") == "correlation.csv"
    text = browser.execute_async_script(
        "const done = arguments[1]; done(atob(arguments[0].href.split(',')[1]))", link
    )
    assert text.splitlines()[0].startswith("suite,application")


@pytest.mark.benchmark
def test_opening_a_report(benchmark, browser, folders, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page(sources.read([folders["validation"]])))
    benchmark(browser.get, path.as_uri())


def test_view_opens_without_a_complaint_and_focuses(browser, tmp_path):
    """A click on an instruction keeps only its own arrows."""
    pipeline = record(parse(kernel(6)).kernels[0], load("rtx_a6000"), Window(0, 5000))
    show(browser, cli_view.FORMATS["html"](pipeline), tmp_path, "view")
    assert browser.get_log("browser") == []
    labels = browser.find_elements("css selector", "#labels div")
    assert len(labels) == 14
    labels[0].click()
    assert "focus" in labels[0].get_attribute("class")
    assert "focused" in browser.find_element("css selector", "#frame svg").get_attribute("class")
