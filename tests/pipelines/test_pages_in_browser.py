"""The pages in a browser, at the width of a phone and of a desk, light and dark: nothing overflows, every text can be
read, nothing is loaded, no text becomes code, and search and clicks do what they say.

Needs Debian's `chromium` and the package `playwright`. Where the variable TEXTVAE_BROWSER is "required" they must be
there; else the tests are skipped without them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_corpus import SETTINGS, write_tiny
from textvae import cli
from textvae.pipeline import run
from textvae.pipeline.reading import read_recipe
from textvae.pipeline.report import build_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = (
    "<script>window.harmed = 1</script>",
    "<img src='http://harm.invalid/x.png' onerror='window.harmed = 1'>",
    "\"'><svg onload=window.harmed=1>",
    "</script></style></title><iframe src='http://harm.invalid'>",
    "{{ 7 * 7 }} &amp; \u202e\x1b[31m" + "long" * 60,
)
VIEWS = [(width, scheme) for width in (400, 1200) for scheme in ("light", "dark")]

# Text whose contrast with what is behind it is below WCAG 2.2 AA: 4.5, for large text 3.
CONTRAST = """() => {
  const parse = color => { const n = color.match(/[\\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => [0, 1, 2].map(i => { const v = c[i] / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => { const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((below, layer) => over(layer, below), dark ? [0, 0, 0, 1] : [255, 255, 255, 1]); };
  const bad = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.textContent.trim() || element.closest("script, style, svg") || !element.getClientRects().length) continue;
    const back = behind(element), ink = over(parse(style.color), back);
    const [high, low] = [light(ink), light(back)].sort((a, b) => b - a), ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)} ${style.color} ${node.textContent.trim().slice(0, 40)}`);
  }
  return bad;
}"""  # noqa: E501

OVERFLOW = """() => {
  const bad = [], wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) bad.push(`page ${document.documentElement.scrollWidth} > ${wide}`);
  for (const element of document.querySelectorAll("main *")) {
    if (element.closest("svg, .scroll, .picture, pre") || !element.getClientRects().length) continue;
    const box = element.getBoundingClientRect();
    const beyond = box.right > wide + 1 || box.left < -1;
    if (beyond) bad.push(`${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    required = os.environ.get("TEXTVAE_BROWSER") == "required"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        assert not required, "the package playwright is missing; install the extra dev"
        pytest.skip("the package playwright is not installed")
    if CHROMIUM is None:
        assert not required, "there is no chromium; install Debian's package of that name"
        pytest.skip("there is no chromium; install Debian's package of that name to run this test")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a run of every stage, with hostile texts wherever there is a text; that of a run with the least;
    and their comparison."""
    folder = tmp_path_factory.mktemp("pages")
    everything = folder / "everything"
    shutil.copytree(tiny_run / "run", everything)
    for stage in ("evaluate", "classify", "impute", "interpolate"):
        path = everything / stage / "details.json"
        path.write_text(json.dumps(_hostile(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    recipe = read_recipe(tiny_run / "tiny.toml", {"description": HOSTILE[0]})
    build_report(recipe, everything)

    least = write_tiny(folder, {name: SETTINGS[name] for name in ("name", "corpus", "tokenize", "train")}, 200)
    run(least, out=folder / "least")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        words = [str(everything), str(folder / "least"), "--page", str(folder / "comparison.html")]
        assert cli._run(["compare", *words]) == 0
    return {
        "everything": everything / "report.html",
        "least": folder / "least" / "report.html",
        "comparison": folder / "comparison.html",
    }


def _hostile(value: Any, place: tuple[int, ...] = ()) -> Any:
    """The same, with a hostile text behind every text."""
    if isinstance(value, dict):
        return {name: _hostile(inner, (*place, number)) for number, (name, inner) in enumerate(value.items())}
    if isinstance(value, list):
        return [_hostile(inner, (*place, number)) for number, inner in enumerate(value)]
    return f"{value} {HOSTILE[sum(place) % len(HOSTILE)]}" if isinstance(value, str) else value


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path], name: str, view: tuple[int, str]) -> Iterator[Any]:
    """A page with everything unfolded; at its end nothing was loaded and nothing went wrong."""
    width, scheme = view
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: None if request.url.startswith("data:") else asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    address = pages[name].as_uri()
    page.goto(address)
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
    yield page
    assert [url.partition("#")[0] for url in asked] == [address] and not wrong
    context.close()


every_view = pytest.mark.parametrize("view", VIEWS, ids=[f"{width}-{scheme}" for width, scheme in VIEWS])
every_page = pytest.mark.parametrize("name", ["everything", "least", "comparison"])


@every_view
@every_page
def test_it_can_be_read(opened: Any, pages: dict[str, Path], name: str) -> None:
    assert opened.evaluate(OVERFLOW) == []
    assert opened.evaluate(CONTRAST) == []
    assert pages[name].stat().st_size < 2_000_000
    assert opened.locator("nav a").count() == opened.locator("section h2").count() > 1
    for target in opened.locator("nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))"):
        assert opened.locator(target).count() == 1
    unnamed = "all => all.filter(one => !(one.getAttribute('aria-label') || '').trim()).length"
    assert opened.locator("[role=img]").evaluate_all(unnamed) == 0
    outside = "all => all.filter(one => !one.closest('[role=img], [aria-hidden=true]')).length"
    assert opened.locator("svg").evaluate_all(outside) == 0, "every picture has an alternative text"


@pytest.mark.parametrize("view", [(1200, "light")])
@pytest.mark.parametrize("name", ["everything", "comparison"])
def test_texts_stay_texts(opened: Any) -> None:
    assert opened.evaluate("() => window.harmed") is None
    assert opened.locator("img, iframe, object, embed, link, base").count() == 0
    assert opened.locator("script").count() == 1
    assert HOSTILE[0] in opened.locator("main").inner_text()


@pytest.mark.parametrize("view", [(400, "light")])
@pytest.mark.parametrize("name", ["everything"])
def test_search_and_click(opened: Any) -> None:
    entries, find = opened.locator("li.entry, tr.entry"), opened.locator("#find")
    total = entries.count()
    assert total > 20 and entries.locator("visible=true").count() > 20
    wanted = "harm.invalid/x"
    find.fill(wanted)
    left = entries.evaluate_all("all => all.filter(one => !one.hidden).map(one => one.textContent.toLowerCase())")
    assert 0 < len(left) < total and all(wanted in text for text in left)
    points = opened.locator(".map circle[data-text]")
    faded = points.evaluate_all("all => all.filter(one => one.classList.contains('faded')).length")
    assert 0 < faded < points.count()
    assert opened.locator("#found").inner_text() == f"{len(left) + points.count() - faded} of {total + points.count()}"
    find.fill("")
    assert entries.evaluate_all("all => all.filter(one => one.hidden).length") == 0

    shown = opened.locator(".map output")
    before, point = shown.inner_text(), points.last
    point.dispatch_event("click")
    text = point.get_attribute("data-text")
    assert shown.inner_text() != before and shown.text_content().startswith(text)
    assert point.locator("title").text_content() == text, "what is shown while a mouse is over it"
