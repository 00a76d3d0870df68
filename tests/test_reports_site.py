"""The site as files: pages, links, standings, badges, feed, copies, and what a rebuild touches."""

from __future__ import annotations

import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner
from defusedxml import ElementTree
from site_results import guideline_file, publication, result, site, written

from guidelines.errors import BadDocument
from harness.cli.publish import publish_command
from harness.publishing import publish
from reports.read import digest
from reports.redact import Private
from reports.site.charts import drawings
from reports.site.documents import slug
from reports.site.render import is_web
from reports.write import Tree

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&{{7*7}}\u2028"


class Links(HTMLParser):
    """Everything a page refers to, its ids, and the tags it has."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.hrefs: list[str] = []
        self.fetched: list[str] = []
        self.odd: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.add(str(value))
            if key.startswith("on") or key == "style":
                self.odd.append(f"{tag} {key}")
            if key == "src" or (key == "href" and tag == "link"):
                self.fetched.append(str(value))
            elif key == "href":
                self.hrefs.append(str(value))


def parsed(file: Path) -> Links:
    links = Links()
    links.feed(file.read_text(encoding="utf-8"))
    return links


@pytest.fixture
def three(tmp_path: Path) -> Path:
    documents = [
        result("alpha", "2026-01-10", net_10="passed", disk_03="passed"),
        result("alpha", "2026-11-10", net_10="passed", disk_03="failed"),
        result("beta", "2026-11-11", net_10="passed", disk_03="passed"),
        result("old one", "2026-02-01", net_10="passed", disk_03="passed"),
    ]
    site(tmp_path, documents)
    return tmp_path / "site"


def test_every_link_leads_to_a_page_and_a_place_of_the_site(three: Path) -> None:
    wrong = []
    for file in three.rglob("*.html"):
        page = parsed(file)
        for href in [*page.hrefs, *page.fetched]:
            parts = urlsplit(href)
            if parts.scheme in ("https", "http") and href in page.hrefs:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            place = unquote(parts.fragment)
            exists = target.is_file() and three.resolve() in target.parents
            if not exists or (place and "=" not in place and place not in parsed(target).ids):
                wrong.append(f"{file.relative_to(three)}: {href}")

    assert wrong == []


def test_pages_fetch_nothing_from_elsewhere_and_run_no_text(three: Path) -> None:
    for file in three.rglob("*.html"):
        page = parsed(file)

        assert not [src for src in page.fetched if urlsplit(src).scheme or src.startswith("/")]
        assert page.odd == []
        assert "default-src 'none'" in file.read_text(encoding="utf-8")
        assert "unsafe" not in file.read_text(encoding="utf-8")


def index(folder: Path) -> dict[str, Any]:
    document = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def test_where_each_platform_stands(three: Path) -> None:
    told = {
        p["name"]: (p["standing"], p["certificate"]["state"], p["certificate"]["until"])
        for p in index(three)["platforms"]
    }

    assert told == {
        "alpha": ("failed", "expired", "2026-07-08"),
        "beta": ("compliant", "valid", "2027-05-09"),
        "old one": ("expired", "expired", "2026-07-30"),
    }


@pytest.mark.parametrize(
    ("more", "badge"),
    [
        ({"net_10": "passed", "disk_03": "passed"}, "compliant until 2027-04-29"),
        ({"net_10": "failed", "disk_03": "passed"}, "failed"),
        ({"complete": False, "incomplete": "interrupted"}, "did not finish"),
    ],
)
def test_a_badge_tells_failed_from_did_not_finish(
    tmp_path: Path, more: dict[str, Any], badge: str
) -> None:
    site(tmp_path, [result("p", "2026-11-01", **more)])

    svg = ElementTree.fromstring((tmp_path / "site/badges/p.svg").read_text(encoding="utf-8"))

    assert svg.get("aria-label") == f"interop g1: {badge}"


def test_a_run_that_did_not_finish_does_not_end_a_certificate(tmp_path: Path) -> None:
    good = result("p", "2026-10-01", net_10="passed", disk_03="passed")
    cut = result("p", "2026-11-01", net_10="passed", complete=False, incomplete="interrupted")

    site(tmp_path, [good, cut])

    assert index(tmp_path / "site")["platforms"][0]["standing"] == "compliant"


def test_chosen_checks_only_do_not_count_but_their_changes_do(tmp_path: Path) -> None:
    good = result("p", "2026-10-01", net_10="passed", disk_03="passed")
    some = result(
        "p", "2026-11-01", net_10="failed", complete=False, incomplete="only selected checks ran"
    )

    site(tmp_path, [good, some])

    document = json.loads((tmp_path / "site/platforms/p.json").read_text(encoding="utf-8"))
    assert document["standings"]["g1"]["standing"] == "compliant"
    assert [(c["check"], c["sort"]) for c in document["changes"]] == [("net-10", "worse")]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    document = result(HOSTILE, "2026-11-01", net_10="failed")
    document["run"] = f"../../{HOSTILE}"
    document["platform"]["declared"] = {HOSTILE: HOSTILE, "implementation": HOSTILE}
    document["checks"][0] |= {"reason": HOSTILE, "id": "x/../y", "title": HOSTILE}
    document["checks"][0]["facts"] = [
        {"name": HOSTILE, "value": HOSTILE, "source": "guest"},
        {"name": "lag", "value": 1.5, "unit": "s", "source": HOSTILE, "member": HOSTILE},
    ]
    document["checks"][0]["evidence"] = [{"title": HOSTILE, "text": HOSTILE}]
    document["timings"][0] |= {"step": HOSTILE, "kind": HOSTILE}

    site(tmp_path, [document, result("b", "2026-11-01", net_10="passed")])

    known = {"html", "head", "meta", "title", "link", "script", "body", "a", "svg", "path"}
    for file in (tmp_path / "site").rglob("*.html"):
        page = parsed(file)
        assert page.odd == []
        assert page.tags.count("script") == len([s for s in page.fetched if s.endswith(".js")])
        assert known <= set(page.tags)
        assert not [h for h in page.hrefs if h.lower().startswith("javascript")]
    for file in (tmp_path / "site").rglob("*.js"):
        assert "</script" not in file.read_text(encoding="utf-8")
    for file in (tmp_path / "site").rglob("*.svg"):
        ElementTree.fromstring(file.read_text(encoding="utf-8"))
    inside = {(tmp_path / "site").resolve()}
    assert all(inside & set(f.resolve().parents) for f in (tmp_path / "site").rglob("*"))


def test_the_feed_is_atom(three: Path) -> None:
    root = ElementTree.fromstring((three / "feed.xml").read_text(encoding="utf-8"))
    atom = "{http://www.w3.org/2005/Atom}"
    entries = root.findall(f"{atom}entry")

    assert [e.findtext(f"{atom}title") for e in entries] == [
        "beta: compliant",
        "alpha: not compliant, 1 worse",
        "old one: compliant",
        "alpha: compliant",
    ]
    assert entries[1].findtext(f"{atom}summary") == "disk-03: passed -> failed"
    ids = [e.findtext(f"{atom}id") for e in [root, *entries]]
    assert len(set(ids)) == 5
    assert root.findtext(f"{atom}updated") == "2026-11-11T10:01:00Z"


def test_one_more_result_touches_only_what_it_changes(tmp_path: Path) -> None:
    first = [
        result("alpha", "2026-10-01", net_10="passed", disk_03="passed"),
        result("beta", "2026-10-01", net_10="passed", disk_03="passed"),
    ]
    paths = written(tmp_path / "results", first)
    made = publication([guideline_file(tmp_path)])
    publish(made, paths, tmp_path / "site")
    times = {f: f.stat().st_mtime_ns for f in (tmp_path / "site").rglob("*") if f.is_file()}

    again = publish(made, paths, tmp_path / "site")
    more = written(
        tmp_path / "results", [result("beta", "2026-11-01", net_10="failed", disk_03="passed")]
    )
    done = publish(made, [*paths, *more], tmp_path / "site")

    assert again.written == []
    assert again.read == 0
    assert done.read == 1
    assert "platforms/alpha.html" not in done.written
    assert "compare/alpha.js" not in done.written
    assert "guidelines/g1.json" not in done.written
    assert not [p for p in done.written if p.startswith("runs/run-2026-10-01")]
    assert {"platforms/beta.html", "checks/net-10.html", "index.html"} <= set(done.written)
    untouched = {f for f, time in times.items() if f.stat().st_mtime_ns == time}
    assert tmp_path / "site/platforms/alpha.html" in untouched


def test_nothing_new_costs_nothing_and_a_page_changed_by_hand_is_mended(tmp_path: Path) -> None:
    paths = written(tmp_path / "results", [result("alpha", "2026-11-20", net_10="passed")])
    made = publication([guideline_file(tmp_path)])
    first = publish(made, paths, tmp_path / "site")
    again = publish(made, paths, tmp_path / "site")
    page = tmp_path / "site" / "platforms" / "alpha.html"
    page.write_text("changed by hand")
    mended = publish(made, paths, tmp_path / "site")

    assert (again.results, again.written, again.same) == (1, [], len(first.written) - 1)
    assert mended.written == ["platforms/alpha.html"]
    assert "changed by hand" not in page.read_text()
    assert publish(made, paths, tmp_path / "site").written == []


def test_a_chart_that_shows_the_same_is_not_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path / "results", [result("alpha", "2026-11-20", net_10="passed")])
    guideline = guideline_file(tmp_path)
    publish(publication([guideline]), paths, tmp_path / "site")
    page = tmp_path / "site" / "platforms" / "alpha.html"
    drawn = dict(drawings(page.read_text()))
    monkeypatch.setattr("reports.site.charts.import_module", lambda _: pytest.fail("drawn again"))

    publish(publication([guideline], day="2027-11-21"), paths, tmp_path / "site")

    assert len(drawn) == 2
    assert dict(drawings(page.read_text())) == drawn


def test_what_is_no_longer_given_goes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    documents = [result(p, "2026-10-01", net_10="passed", disk_03="passed") for p in ("a", "b")]
    paths = written(tmp_path / "results", documents)
    made = publication([guideline_file(tmp_path)])
    publish(made, paths, tmp_path / "site")
    (tmp_path / "site/CNAME").write_text("example.org\n", encoding="utf-8")

    done = publish(made, paths[:1], tmp_path / "site")

    assert "platforms/b.html" in done.removed
    assert not (tmp_path / "site/platforms/b.html").exists()
    assert (tmp_path / "site/CNAME").exists()


def test_nothing_private_reaches_the_site(tmp_path: Path) -> None:
    document = result("p", "2026-11-01", net_10="failed", disk_03="passed")
    document["platform"]["declared"] = {"account": "998877665544", "private": ["account"]}
    document["platform"]["described"] = {"bmc": {"address": "192.0.2.77"}, "token": "tok-abcdef"}
    document["checks"][0] |= {
        "reason": "account 998877665544 at 192.0.2.77 with hunter2hunter2 failed",
        "evidence": [{"title": "198.51.100.9", "text": "password=swordfish99 on 192.0.2.77"}],
        "facts": [{"name": "owner", "value": 998877665544, "source": "api"}],
    }
    private = Private(values=("hunter2hunter2", "198.51.100.9"))

    site(tmp_path, [document], private=private)

    secrets = (b"998877665544", b"192.0.2.77", b"hunter2hunter2", b"198.51.100.9", b"swordfish99")
    for file in (tmp_path / "site").rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert not [s for s in secrets if s in data], file


def test_a_result_with_something_taken_out_tells_no_digest_of_the_original(tmp_path: Path) -> None:
    document = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    site(tmp_path, [document], private=Private(values=("dhcp",)))

    summary = next((tmp_path / "site").rglob("*.summary.json"))
    told = json.loads(summary.read_text(encoding="utf-8"))

    assert told["redacted"] is True
    copy = next((tmp_path / "site").rglob("*.result.json")).read_bytes()
    assert told["digest"] == f"sha256:{hashlib.sha256(copy).hexdigest()}"


def test_a_guideline_page_says_who_would_still_pass(tmp_path: Path) -> None:
    paths = written(
        tmp_path / "results",
        [result("p", "2026-11-01", net_10="passed", disk_03="passed", disk_05="failed")],
    )
    files = [guideline_file(tmp_path), guideline_file(tmp_path, "g2", "[disk-03, disk-05]")]
    publish(publication(files), paths, tmp_path / "site")

    page = (tmp_path / "site/guidelines/g2.html").read_text(encoding="utf-8")

    assert "Who would still pass" in page
    assert "tests added: disk-05" in page
    assert page.index("compliant</span>") < page.index("not compliant</span>")


def test_a_result_of_another_tool_is_a_platform_too(tmp_path: Path) -> None:
    junit = tmp_path / "other.xml"
    junit.write_text(
        '<testsuites><testsuite name="s"><testcase classname="x" name="net-10"/>'
        '<testcase classname="x" name="disk-03"><failure message="lost"/></testcase>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    publish(publication([guideline_file(tmp_path)]), [junit], tmp_path / "site")

    told = index(tmp_path / "site")["platforms"][0]
    assert (told["kind"], told["standing"]) == ("junit", "failed")


def test_what_speaks_of_nothing_that_is_asked_is_not_judged(tmp_path: Path) -> None:
    junit = tmp_path / "other.xml"
    junit.write_text(
        '<testsuite name="s"><testcase name="smoke"><failure/></testcase></testsuite>',
        encoding="utf-8",
    )
    guideline = guideline_file(tmp_path)
    words = guideline.read_text(encoding="utf-8")
    named = words.replace(
        "Data stay, level: 2", "Data stay, level: 2, when: {declares: [block-volume]}"
    )
    guideline.write_text(named, encoding="utf-8")

    publish(publication([guideline]), [junit], tmp_path / "site")

    assert index(tmp_path / "site")["platforms"][0]["standing"] == "not judged"


def test_a_failure_after_the_last_full_run_is_told_beside_its_certificate(tmp_path: Path) -> None:
    chosen = {"complete": False, "incomplete": "only selected checks ran"}
    seen = [
        result("one", "2026-11-10", net_10="passed", disk_03="passed"),
        result("one", "2026-11-11", net_10="failed", **chosen),
        result("two", "2026-11-10", net_10="passed", disk_03="passed"),
        result("two", "2026-11-12", net_10="failed", **chosen),
        result("two", "2026-11-13", net_10="passed", **chosen),
    ]
    site(tmp_path, seen)

    folder = tmp_path / "site"
    one, two = ((folder / f"platforms/{n}.html").read_text("utf-8") for n in ("one", "two"))
    assert "Since its last run of all checks" in one
    assert "runs/run-2026-11-11/one.html#net-10" in one
    assert "Since its last run of all checks" not in two
    assert (folder / "index.html").read_text("utf-8").count("1 failed since") == 1


def test_what_is_required_and_did_not_run_is_named(tmp_path: Path) -> None:
    site(tmp_path, [result("one", "2026-11-10", net_10="passed")])

    text = (tmp_path / "site/platforms/one.html").read_text("utf-8")
    assert "What did not pass" in text
    assert '<a href="../checks/disk-03.html">disk-03</a>' in text
    assert "1 of 2 passed, 1 missing" in (tmp_path / "site/index.html").read_text("utf-8")


def test_what_the_guideline_takes_for_failed_is_told_though_the_run_passed_it(
    tmp_path: Path,
) -> None:
    guideline = guideline_file(tmp_path)
    words = guideline.read_text(encoding="utf-8")
    expects = "{title: Data stay, level: 2, expects: [{fact: source, equals: static}]}"
    guideline.write_text(words.replace("{title: Data stay, level: 2}", expects), "utf-8")
    paths = written(
        tmp_path / "results", [result("one", "2026-11-10", net_10="passed", disk_03="passed")]
    )

    publish(publication([guideline]), paths, tmp_path / "site")

    folder = tmp_path / "site"
    platform = (folder / "platforms/one.html").read_text("utf-8")
    assert "What did not pass" in platform
    assert "static" in platform
    for path in ("checks/disk-03.html", "runs/run-2026-11-10/one.html"):
        assert "failed by g1: " in (folder / path).read_text("utf-8")


def test_a_verdict_given_by_earlier_words_of_the_guideline_is_told(tmp_path: Path) -> None:
    guideline = guideline_file(tmp_path)
    paths = written(
        tmp_path / "results", [result("one", "2026-11-10", net_10="passed", disk_03="failed")]
    )
    given = {
        "schema": "interop.verdict/1", "verdict": "compliant", "guideline": "g1", "program": "all",
        "at": "2026-11-10", "counts": {"required": 2}, "guideline_digest": "sha256:" + "0" * 64,
        "evidence": [{"digest": digest(paths[0])}],
    }  # fmt: skip
    folder = paths[0].parent
    (folder / "verdict.json").write_text(json.dumps(given), encoding="utf-8")

    publish(publication([guideline]), paths, tmp_path / "site")
    page = (tmp_path / "site/runs/run-2026-11-10/one.html").read_text("utf-8")
    given["evidence"] = [{"digest": "sha256:" + "1" * 64}]  # about another result
    (folder / "verdict.json").write_text(json.dumps(given), encoding="utf-8")
    publish(publication([guideline]), paths, tmp_path / "again")
    other = (tmp_path / "again/runs/run-2026-11-10/one.html").read_text("utf-8")

    assert "judged anew: compliant by the guideline as it was when the run ended" in page
    assert "judged anew" not in other


def test_a_publication_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    good = written(tmp_path / "results", [result("one", "2026-11-10", net_10="passed")])
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    made = publication([guideline_file(tmp_path)])
    with pytest.raises(BadDocument):
        publish(made, [*good, tmp_path / "bad.json"], tmp_path / "site")
    other = written(tmp_path / "others", [result("two", "2026-11-10", net_10="passed")])

    publish(made, other, tmp_path / "site")

    assert (tmp_path / "site/platforms/two.html").is_file()
    assert not list((tmp_path / "site").glob("runs/*/one.*"))


def test_an_empty_site_has_words_for_it(tmp_path: Path) -> None:
    publish(publication([guideline_file(tmp_path)]), [], tmp_path / "site")

    assert "No result has been published yet" in (tmp_path / "site/index.html").read_text(
        encoding="utf-8"
    )


def test_two_results_of_one_run_and_platform_are_refused(tmp_path: Path) -> None:
    documents = [result("p", "2026-11-01", net_10=word) for word in ("passed", "failed")]

    with pytest.raises(BadDocument, match="run run-2026-11-01 on p"):
        site(tmp_path, documents)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x", "x", "no site of ours"),
        ("site.json", "[]", "JSON object"),
        ("site.json", "{}", "expected interop.site-memory"),
    ],
)
def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / name).write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=message):
        site(tmp_path, [])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere", "--to", "s"], "no such file or folder"),
        (["{r}", "--to", "s", "--base-url", "ftp://x"], "expected an address"),
        (["{r}", "--to", "s", "--program", "nope"], "no such program"),
        (["{r}", "--to", "s", "--private", "{p}"], "networks.0"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, argv: list[str], message: str) -> None:
    path = written(tmp_path / "results", [result("p", "2026-11-01", net_10="passed")])[0]
    private = tmp_path / "private.yaml"
    private.write_text("networks: [nonsense]\n", encoding="utf-8")
    words = [word.format(r=path, p=private) for word in argv]
    words[words.index("--to") + 1] = str(tmp_path / "s")

    done = CliRunner().invoke(publish_command, words)

    assert isinstance(done.exception, BadDocument)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_the_command_publishes_a_folder_of_runs(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for platform in ("a", "b"):
        folder = tmp_path / "results/run-1" / platform
        folder.mkdir(parents=True)
        document = result(platform, "2026-11-01", net_10="passed", disk_03="passed")
        (folder / "result.json").write_text(json.dumps(document), encoding="utf-8")
    argv = [str(tmp_path / "results"), "--to", str(tmp_path / "s"), "--at", "2026-11-21"]

    first = CliRunner().invoke(publish_command, argv, catch_exceptions=False)
    second = CliRunner().invoke(publish_command, argv, catch_exceptions=False)

    assert "2 results, 2 of them new" in first.output
    assert "2 results, 0 of them new; 0 files written" in second.output
    assert (tmp_path / "state/interop/site-salt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//x", "https://a b"])
def test_only_addresses_of_the_web_become_links(url: str) -> None:
    assert not is_web(url)


def test_names_of_files_are_safe_and_tell_names_apart() -> None:
    names = ["a", "A", "a b", "a-b", "../a", "..", "ä", "", "a" * 300, "con\0", "x.y"]
    names += ["con", "con.x", "index", "page-2", "index.html", "page-2.html"]
    names += [slug(name) for name in names if slug(name) != name]  # spelled out by somebody

    slugs = [slug(name) for name in names]

    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._~-]{0,99}", s) for s in slugs)


@pytest.mark.parametrize("name", ["index", "page-2", "con", r"a\u0041\1\g<0>", "A", "..", "a/b"])
def test_a_platform_with_a_strange_name_takes_no_other_page(name: str, tmp_path: Path) -> None:
    """Its pages, charts and badges are beside those of the site and of who is called alike."""
    first = result(name, "2026-11-01", net_10="passed", disk_03="passed")
    first["run"] = name
    alike = result(slug(name), "2026-11-01", net_10="failed", disk_03="passed")
    alike["run"] = slug(slug(name))
    paths = written(tmp_path / "r", [first, alike])

    publish(publication([guideline_file(tmp_path)]), paths, tmp_path / "site")

    index = json.loads((tmp_path / "site/index.json").read_text(encoding="utf-8"))
    documents = [one["document"] for one in index["platforms"]]
    assert len(set(documents)) == 2
    named = [json.loads((tmp_path / "site" / one).read_text(encoding="utf-8")) for one in documents]
    assert {one["name"] for one in named} == {name, slug(name)}
    assert (tmp_path / "site/runs/index.html").is_file()
    assert html.escape(name) in (tmp_path / "site/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["../x", "a/../x", "/x", "a//x", "a/./x", "a\\x", ""])
def test_a_tree_writes_below_its_root_only(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="below the tree"):
        Tree(tmp_path).put(path, "x")
