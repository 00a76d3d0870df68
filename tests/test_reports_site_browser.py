"""The site in a real browser, from files: navigation, filters, keyboard, contrast, phone, print."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_results import guideline_file, publication, result, written

from harness.publishing import publish

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
HOSTILE = "<img src=x onerror=window.hacked=1></script><script>window.hacked=1</script>"
PAGES = (
    "index.html",
    "compare.html",
    "checks/index.html",
    "checks/net-10.html",
    "guidelines/index.html",
    "guidelines/g1.html",
    "platforms/alpha.html",
    "runs/index.html",
    "runs/run-2026-11-10/index.html",
    "runs/run-2026-11-10/alpha.html",
    "about.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    hostile = result("gamma", "2026-11-12", net_10="failed", disk_03="blocked")
    hostile["checks"][0] |= {
        "reason": HOSTILE,
        "title": HOSTILE,
        "evidence": [{"title": HOSTILE, "text": HOSTILE}],
        "facts": [{"name": HOSTILE, "value": HOSTILE, "source": "guest"}],
    }
    hostile["platform"]["declared"] = {"implementation": HOSTILE}
    long = "a-platform-whose-name-is-so-long-that-nobody-would-read-it-without-a-break"
    documents = [
        result("alpha", "2026-01-10", net_10="passed", disk_03="passed"),
        result("alpha", "2026-11-10", net_10="passed", disk_03="failed"),
        result("beta", "2026-11-10", net_10="passed", disk_03="passed"),
        result(long, "2026-11-11", net_10="passed", disk_03="passed"),
        hostile,
    ]
    paths = written(root / "results", documents)
    publish(publication([guideline_file(root)]), paths, root / "site")
    return root / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Visitor:
    """A page that notes what it asked for and what went wrong on it."""

    def __init__(self, browser: Any, site: Path, **context: Any) -> None:
        self.site = site
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def go(self, path: str) -> Any:
        self.page.goto("about:blank")
        self.page.goto(f"{self.site.as_uri()}/{path}")
        self.page.wait_for_load_state("load")
        return self.page


@pytest.fixture
def visit(browser: Any, site: Path) -> Iterator[Visitor]:
    visitor = Visitor(browser, site, viewport={"width": 1280, "height": 900})
    yield visitor
    visitor.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, site: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    visitor = Visitor(browser, site, color_scheme=scheme, bypass_csp=True)
    found = []
    for path in PAGES:
        page = visitor.go(path)
        for violation in axe.run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                where = [node["html"][:160] for node in violation["nodes"][:3]]
                found.append(f"{path}: {violation['id']}: {where}")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    noticed = {violation["id"] for violation in axe.run(page).response["violations"]}
    visitor.context.close()

    assert found == []
    assert "html-has-lang" in noticed


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen_or_has_errors(
    browser: Any, site: Path, width: int
) -> None:
    visitor = Visitor(browser, site, viewport={"width": width, "height": 800})
    wide = []
    for path in PAGES:
        page = visitor.go(path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    visitor.context.close()

    assert wide == []
    assert visitor.wrong == []
    assert [url for url in visitor.asked if not url.startswith(("file:", "about:"))] == []


def test_from_the_front_page_to_the_evidence(visit: Visitor) -> None:
    page = visit.go("index.html")

    page.click("#t-platforms a:text-is('alpha')")
    page.click("section[aria-labelledby=bad] a:text-is('disk-03')")
    page.wait_for_selector("#disk-03 .evidence dl")

    assert page.url.endswith("runs/run-2026-11-10/alpha.html#disk-03")
    assert "dhcp" in page.inner_text("#disk-03 .evidence")


def test_a_filter_is_kept_in_the_address(visit: Visitor) -> None:
    page = visit.go("index.html")
    names = "#t-platforms tbody tr:visible th a"

    page.select_option("select[name=standing]", "failed")

    assert page.locator(names).all_inner_texts() == ["alpha", "gamma"]
    assert page.url.endswith("#standing=failed")
    page.fill("input[name=q]", "gam")
    assert page.inner_text("form.filters output") == "1 of 4"
    page.reload()
    assert page.locator(names).all_inner_texts() == ["gamma"]
    page.fill("input[name=q]", "nothing of the kind")
    assert page.inner_text("form.filters output") == "0 of 4"


def test_search_by_keyboard_alone(visit: Visitor) -> None:
    page = visit.go("checks/index.html")

    page.keyboard.press("/")
    page.keyboard.type("resolve each")
    page.wait_for_selector("#found [role=option] a")
    page.keyboard.press("ArrowDown")

    assert page.get_attribute("#search", "aria-activedescendant") == "hit-0"
    page.keyboard.press("Enter")
    page.wait_for_url("**/checks/net-10.html")
    page.keyboard.press("/")
    page.keyboard.type("no such thing")
    page.wait_for_selector("#found .none")
    page.keyboard.press("Escape")
    assert page.is_hidden("#found")


def test_the_first_tab_skips_to_the_content(visit: Visitor) -> None:
    page = visit.go("index.html")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_comparing_what_was_chosen(visit: Visitor) -> None:
    page = visit.go("compare.html#p=alpha,beta&show=differs")
    page.wait_for_selector("#c-table tbody th")

    assert page.locator("#c-table tbody th a").all_inner_texts() == ["disk-03"]
    assert page.locator("#c-table thead th").all_inner_texts() == ["Check", "alpha", "beta"]
    page.select_option("select[name=show]", "all")
    groups = page.locator("#c-table details").evaluate_all("all => all.map(g => g.open)")
    assert groups == [False, True]  # what is equal is folded
    shown = page.locator("#c-table tbody th a").all_text_contents()
    assert shown == ["net-10", "disk-03"]
    page.click("label:has(input[value=beta])")
    page.click("label:has(input[value=gamma])")
    page.wait_for_function(
        "document.querySelectorAll('#c-table thead th')[2]?.textContent == 'gamma'"
    )
    assert "p=alpha%2Cgamma" in page.url


def test_a_phone_shows_those_that_agree_on_one_line(browser: Any, tmp_path: Path) -> None:
    documents = [
        result(name, "2026-11-10", net_10="failed" if name == "c" else "passed") for name in "abc"
    ]
    for document, image in zip(documents, ("x", "x", "y"), strict=True):
        document["platform"]["profile"] = {"image": image, "patience": {"boot": 60}}
    publish(
        publication([guideline_file(tmp_path)]),
        written(tmp_path / "results", documents),
        tmp_path / "site",
    )
    visitor = Visitor(browser, tmp_path / "site", viewport={"width": 390, "height": 844})

    page = visitor.go("compare.html#p=a,b,c")
    page.wait_for_selector("#d-table tbody tr")

    labels = "all => all.map(cell => [cell.dataset.l, cell.textContent])"
    checks = page.locator("#c-table tbody td").evaluate_all(labels)
    debt = page.locator("#d-table tbody td").evaluate_all(labels)
    assert [label for label, _ in checks] == ["a, b", "c"]
    assert debt == [["a, b", "x"], ["c", "y"], ["all", "60"]]
    assert "belongs into the workload" in page.inner_text("#d-table tbody tr:last-child th")
    visitor.context.close()


def test_the_joint_score_follows_what_was_chosen(visit: Visitor) -> None:
    page = visit.go("compare.html#p=alpha,beta")
    page.wait_for_selector("#s-table tbody tr")

    first = page.locator("#s-table tbody tr").first.locator("td").all_inner_texts()

    assert [text.split() for text in first] == [
        ["50", "%", "1", "of", "2"], ["50", "%", "1", "of", "2"], ["100", "%", "2", "of", "2"],
        ["disk-03"],
    ]  # fmt: skip
    page.click("label:has(input[value=beta])")
    page.wait_for_selector("#c-score", state="hidden")


def test_runs_that_cannot_be_compared_are_told(browser: Any, tmp_path: Path) -> None:
    one = result("one", "2026-11-10", net_10="passed")
    other = result("other", "2026-11-10", net_10="failed")
    other["suite"]["digest"] = "sha256:" + "1" * 64
    paths = written(tmp_path / "results", [one, other])
    publish(publication([guideline_file(tmp_path)]), paths, tmp_path / "site")
    visitor = Visitor(browser, tmp_path / "site")

    page = visitor.go("compare.html")
    page.wait_for_selector("#guards .note")

    assert "different versions of the suites" in page.inner_text("#guards")
    visitor.context.close()


def test_hostile_text_runs_nowhere(visit: Visitor) -> None:
    for path in ("index.html", "platforms/gamma.html", "checks/net-10.html", "compare.html"):
        page = visit.go(path)
        page.wait_for_timeout(100)
        assert page.evaluate("window.hacked") is None
    page = visit.go("runs/run-2026-11-12/gamma.html#net-10")
    page.wait_for_selector("#net-10 .evidence details")
    page.locator("#net-10 .evidence details summary").first.click()

    assert page.evaluate("window.hacked") is None
    assert HOSTILE in page.inner_text("#net-10 .evidence")
    assert page.locator("main img:not([src^='../badges'])").count() == 0


def test_print_leaves_the_controls_out(visit: Visitor) -> None:
    page = visit.go("index.html")

    page.emulate_media(media="print")

    assert page.is_hidden("form.filters")
    assert page.is_hidden(".search")
    assert page.is_visible("#t-platforms")


def test_states_are_told_by_shape_as_well(visit: Visitor) -> None:
    page = visit.go("about.html")
    marks = page.eval_on_selector_all(
        "section[aria-labelledby=states] .state use", "all => all.map(u => u.getAttribute('href'))"
    )

    drawn = {m: page.eval_on_selector(m, "symbol => symbol.innerHTML") for m in marks}

    assert len(set(marks)) == len(set(drawn.values())) == 7
