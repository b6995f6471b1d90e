"""The page of a trace, in a browser: what it shows, how it is searched and used by keyboard, and what it never does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from muxi.cli.trace.show import write_page
from tests.tracefile.examples import Lines, shop_trace, write_trace

if TYPE_CHECKING:
    from playwright.sync_api import Page

Show = Callable[..., None]


@pytest.fixture
def show(tmp_path: Path) -> Show:
    """Write the lines of a trace and open their page: ``show(page, lines)``."""

    def show(page: Page, lines: Iterator[dict[str, Any]] | list[dict[str, Any]], fragment: str = "") -> None:
        trace = write_trace(tmp_path / "shop.jsonl", iter(lines))
        write_page(str(trace), str(tmp_path / "page.html"))
        page.goto((tmp_path / "page.html").as_uri() + fragment)
        page.wait_for_selector("body[data-ready]")

    return show


def rows(page: Page) -> list[str]:
    """The operations of the rows in the document, in order, once the next frame is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: list[str] = page.eval_on_selector_all(
        "#rows .row",
        "found => found.sort((a, b) => a.dataset.index - b.dataset.index)"
        ".map(row => row.querySelector('.operation b').textContent)",
    )
    return found


def count(page: Page) -> str:
    return page.inner_text("#count")


CALLS = list(shop_trace(300))
ENDS = [line for line in CALLS if line["event"] == "finished"]
STARTS = {line["call"]: line for line in CALLS if line["event"] == "started"}


def test_the_calls_of_a_trace_are_listed_with_their_course(page: Page, show: Show) -> None:
    show(page, CALLS)
    assert count(page) == "300 calls"
    assert page.title() == "shop.jsonl: trace"
    assert rows(page)[:5] == [line["operation"] for line in CALLS if line["event"] == "started"][:5]
    assert page.locator("#rows .row").count() < 50
    assert page.locator("#rows .row .bar .request").count() > 10
    assert page.locator("#rows .row .bar .ticks").count() > 0
    failed = sum(end["outcome"] == "failed" for end in ENDS)
    assert f"{failed} failed" in page.inner_text("#summary")


FILTERS: dict[str, tuple[Callable[[Any], None], Callable[[dict[str, Any], dict[str, Any]], bool]]] = {
    "operation": (lambda page: page.select_option("[name=operation]", "chat"), lambda s, e: s["operation"] == "chat"),
    "status": (
        lambda page: page.select_option("[name=status]", "404"),
        lambda s, e: e["status"] == 404,
    ),
    "user": (lambda page: page.fill("[name=user]", "ada"), lambda s, e: s["user"] == "ada"),
    "session": (lambda page: page.fill("[name=session]", "sess_a"), lambda s, e: s["session"].startswith("sess_a")),
    "request": (lambda page: page.fill("[name=request]", "req_1"), lambda s, e: s["request"].startswith("req_1")),
    "slower": (lambda page: page.fill("[name=slower]", "1500"), lambda s, e: e["seconds"] >= 1.5),
    "failed": (lambda page: page.check("[name=failed]"), lambda s, e: e["outcome"] == "failed"),
    "search": (
        lambda page: page.fill("[name=text]", "GRACE memories"),
        lambda s, e: s["user"] == "grace" and "memories" in s["route"],
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_shows_the_calls_that_pass_it(page: Page, show: Show, name: str) -> None:
    apply, passes = FILTERS[name]
    show(page, CALLS)
    apply(page)
    expected = [STARTS[end["call"]]["operation"] for end in ENDS if passes(STARTS[end["call"]], end)]
    assert expected
    assert count(page) == f"{len(expected)} of 300 calls"
    assert rows(page)[:10] == expected[:10]
    page.click("#clear")
    page.get_by_text("300 calls", exact=True).wait_for()


def test_a_filter_that_nothing_passes_says_so(page: Page, show: Show) -> None:
    show(page, CALLS)
    page.fill("[name=text]", "no such word")
    assert page.is_visible("#empty")
    assert count(page) == "0 of 300 calls"


def test_a_click_on_a_column_sorts(page: Page, show: Show) -> None:
    show(page, CALLS)
    page.click("[data-order=seconds] button")
    assert page.get_attribute("[data-order=seconds]", "aria-sort") == "descending"
    slowest = max(ENDS, key=lambda end: end["seconds"])
    page.locator("#rows .row[data-index='0']").click()
    assert slowest["call"] in page.inner_text("#detail .facts")
    page.click("[data-order=seconds] button")
    assert page.get_attribute("[data-order=seconds]", "aria-sort") == "ascending"


def _retried() -> Lines:
    lines = Lines("feed0001", 1000.0)
    headers = [["Accept", "application/json"], ["X-Muxi-Client-Key", "[redacted]"]]
    lines.add(
        "started", 0, operation="chat_stream", method="POST", route="/chat", user="ada", session="sess_1",
        request="req_1", key="client", safety="never", max_retries=3,
    )  # fmt: skip
    lines.add("attempt", 0, attempt=1, method="POST", url="https://x/chat", headers=headers, size=9, body='{"a":[1]}')
    lines.add("head", 0.2, attempt=1, status=503, reason="", headers=[["Retry-After", "1"]], size=0)
    lines.add("failed", 0.2, attempt=1, error="ServerError", code="BUSY", message="is starting", status=503)
    lines.add("wait", 0.2, attempt=1, delay=1.0, why="the answer 503 says that the request was not carried out")
    lines.add("attempt", 1.2, attempt=2, method="POST", url="https://x/chat", headers=headers, size=9)
    lines.add("head", 1.4, attempt=2, status=200, reason="OK", headers=[["Content-Type", "text/event-stream"]])
    for number, word in enumerate(("Hello ", "dear ", "world"), 1):
        lines.add("event", 1.4 + number / 10, n=number, type="text", size=len(word), text=word)
    return lines.add(
        "finished", 1.9, outcome="failed", status=None, attempts=2, events=3, error="StreamInterrupted",
        code="STREAM_CUT", message="the stream ended too soon", rest={"text": "!"},
        why="its events have reached the caller, and are not asked for again",
    )  # fmt: skip


def test_the_details_of_a_call_have_everything_and_the_reasons(page: Page, show: Show) -> None:
    show(page, _retried().lines)
    page.click("#rows .row")
    detail = page.locator("#detail")
    text = detail.inner_text()
    for part in (
        "chat_stream",
        "req_1",
        "sess_1",
        "Attempt 1 · 503",
        "Attempt 2 · 200",
        "Wait",
        "3 events",
        "ServerError BUSY is starting",
        "Sent again after 1.00 s: the answer 503 says that the request was not carried out.",
        "StreamInterrupted STREAM_CUT the stream ended too soon",
        "Not sent again: its events have reached the caller, and are not asked for again.",
    ):
        assert part in text
    detail.locator("summary").first.click()
    assert "[redacted]" in detail.inner_text()
    assert detail.locator("pre").first.inner_text() == '{\n  "a": [\n    1\n  ]\n}'


def test_the_text_of_a_stream_grows_with_the_slider(page: Page, show: Show) -> None:
    show(page, _retried().lines)
    page.click("#rows .row")
    assert page.inner_text("#detail .text") == "Hello dear world!"
    assert page.inner_text("#detail .missing") == ""
    slider = page.locator("#detail [type=range]")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert page.inner_text("#detail .missing") == "dear world!"
    assert slider.get_attribute("aria-valuetext") == "1.50 s, piece 1 of 4"


def test_everything_can_be_done_by_keyboard(page: Page, show: Show) -> None:
    show(page, CALLS)
    page.focus("#calls")
    for key in ("ArrowDown", "ArrowDown", "k", "PageDown", "Home", "j", "j"):
        page.keyboard.press(key)
    assert page.get_attribute("#calls", "aria-activedescendant") == "row-2"
    page.keyboard.press("End")
    assert page.get_attribute("#calls", "aria-activedescendant") == "row-299"
    assert page.is_visible("#row-299")
    page.keyboard.press("Enter")
    assert page.is_visible("#detail")
    assert page.evaluate("document.activeElement.id") == "detail-title"
    page.keyboard.press("Escape")
    assert not page.is_visible("#detail")
    assert page.evaluate("document.activeElement.id") == "calls"
    page.keyboard.press("/")
    page.keyboard.type("chat_stream")
    assert "of 300" in count(page)
    page.keyboard.press("Escape")
    assert count(page) == "300 calls"
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert page.is_checked("[name=failed]")
    page.keyboard.press("t")
    assert page.is_visible("#totals")
    page.keyboard.press("t")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


def test_a_screen_reader_finds_names_roles_and_states(page: Page, show: Show) -> None:
    show(page, CALLS)
    grid = page.get_by_role("grid", name="Calls")
    assert grid.get_attribute("aria-rowcount") == "301"
    assert page.get_by_role("columnheader", name="Took").count() == 1
    fields = {"Search": "searchbox", "Operation": "combobox", "Status": "combobox", "User": "combobox"}
    fields |= {"Session": "textbox", "Request": "textbox", "Failed only": "checkbox"}
    for name, role in fields.items():
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name  # type: ignore[arg-type]  # a role
    assert page.get_by_role("tab", name="Calls").get_attribute("aria-selected") == "true"
    page.locator("#rows .row").first.click()
    row = page.locator("#rows .row").first
    assert row.get_attribute("aria-selected") == "true"
    assert int(row.get_attribute("aria-rowindex") or 0) >= 2
    assert page.get_by_role("complementary").get_by_role("heading", level=2).count() == 1
    assert page.get_by_role("button", name="Close details").count() == 1
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter(e => e.offsetParent && !(e.labels?.length "
        "|| e.textContent.trim() || e.getAttribute('aria-label'))).map(e => e.outerHTML)"
    )
    assert unnamed == []


def test_a_link_opens_one_call_whatever_the_filters(page: Page, show: Show) -> None:
    wanted = ENDS[200]["call"]
    show(page, CALLS, f"#call={wanted}")
    assert wanted in page.inner_text("#detail .facts")
    page.keyboard.press("Escape")
    assert "#call" not in page.url
    page.fill("[name=text]", "no such word")
    page.evaluate(f"location.hash = '#call={ENDS[5]['call']}'")
    page.wait_for_selector("#detail:not([hidden])")
    assert ENDS[5]["call"] in page.inner_text("#detail .facts")
    page.evaluate("location.hash = '#call=%E0%A4%A'")
    page.evaluate("location.hash = '#call=<img src=x onerror=alert(1)>'")
    assert ENDS[5]["call"] in page.inner_text("#detail .facts")


def test_the_totals_are_those_of_the_trace_and_follow_the_filters(page: Page, show: Show) -> None:
    show(page, CALLS)
    page.click("#tab-totals")
    table = page.locator("#totals-table")
    assert table.locator("tfoot td").first.inner_text() == "300"
    chats = [end for end in ENDS if STARTS[end["call"]]["operation"] == "chat"]
    row = table.locator("tbody tr", has=page.get_by_role("button", name="chat", exact=True))
    assert row.locator("td").first.inner_text() == str(len(chats))
    page.check("[name=failed]")
    assert table.locator("tfoot td").first.inner_text() == str(sum(end["outcome"] == "failed" for end in ENDS))
    page.get_by_role("button", name="chat", exact=True).click()
    assert page.is_visible("#calls")
    assert page.input_value("[name=operation]") == "chat"


ATTACK = (
    "</script><script>window.hacked=1</script><img src=https://evil.example/x onerror=window.hacked=1>\u2028'\"`${1}"
)


def test_nothing_of_a_hostile_trace_is_executed_or_requested(page: Page, show: Show) -> None:
    names = [name for line in CALLS[:60] for name, value in line.items() if isinstance(value, str | None)]
    names += ["key", "safety", "code", "body", "text", "data"]
    lines: list[dict[str, Any]] = []
    for number in range(30):
        call = Lines(f"<{number}>&'\"", 1000.0 + number)
        for event in ("started", "attempt", "head", "failed", "wait", "attempt", "head", "event", "event", "finished"):
            fields: dict[str, Any] = dict.fromkeys({*names} - {"call", "event"}, ATTACK)
            fields |= {"headers": [[ATTACK, ATTACK]], "outcome": "failed", "attempt": 1, "delay": 1, "status": 200}
            call.add(event, 0.5, **fields, rest={ATTACK: ATTACK, "text": ATTACK})
        lines += call.lines
    show(page, lines)
    assert count(page) == "30 calls"
    page.locator("#rows .row").nth(3).click()
    for summary in page.locator("#detail summary").all():
        summary.click()
    assert ATTACK.split("\u2028")[0] in page.inner_text("#detail")
    page.click("#tab-totals")
    page.fill("[name=user]", "<script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, script[src]").count() == 0
    # The policy holds for what is put into the page afterwards, too.
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content") or ""
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy


def test_the_page_has_a_policy_that_allows_its_own_script_and_style_alone(show: Show, page: Page) -> None:
    show(page, CALLS[:20])
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect-src 'none'" in policy
    source = page.content()
    assert not re.search(r"<[^>]+\son[a-z]+=", source.split("<script")[0])
    assert page.locator("script:not([type])").count() == 1


def test_lines_that_could_not_be_read_are_counted(page: Page, show: Show, tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "shop.jsonl", iter(CALLS[:40]))
    with trace.open("ab") as file:
        file.write(b"rubbish\nmore\n" + json.dumps(CALLS[0]).encode()[:50])
    write_page(str(trace), str(tmp_path / "page.html"))
    page.goto((tmp_path / "page.html").as_uri())
    assert page.inner_text("#notes") == "Lines that could not be read: 2 no lines of a trace, 1 cut off."


def test_calls_with_long_pauses_between_them_are_drawn_from_their_starts(page: Page, show: Show) -> None:
    def starts() -> set[str | None]:
        rows(page)
        return {bar.get_attribute("x") for bar in page.locator("#rows .bar .request").all()}

    show(page, [line for number in range(5) for line in Lines(f"c{number}", 3600.0 * number).add("x", 1).lines])
    assert starts() == {"0%"}
    show(page, [line for number in range(5) for line in Lines(f"c{number}", 1.0 * number).add("x", 1).lines])
    assert len(starts()) == 5
    page.check("#align")
    assert starts() == {"0%"}


def test_an_empty_trace_has_a_page(page: Page, show: Show) -> None:
    show(page, [])
    assert count(page) == "0 calls"
    assert page.is_visible("#empty")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_colour_schemes(new_page: Callable[..., Page], show: Show, scheme: str) -> None:
    page = new_page(color_scheme=scheme)
    show(page, CALLS)
    page.check("[name=failed]")
    page.locator("#rows .row").nth(2).click()
    low = page.evaluate(CONTRAST)
    assert low == []


@pytest.mark.parametrize("width", [320, 390, 760])
def test_a_narrow_window_shows_everything_without_scrolling_sideways(
    new_page: Callable[..., Page], show: Show, width: int
) -> None:
    page = new_page(width=width, height=700)
    show(page, CALLS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not page.is_visible("[name=session]")
    page.click("#more")
    assert page.is_visible("[name=session]")
    page.click("#more")
    page.locator("#rows .row").nth(1).click()
    box = page.locator("#detail").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, width)
    assert page.evaluate("document.getElementById('detail').scrollWidth") <= width
    page.click("#detail .close")
    assert not page.is_visible("#detail")


def test_ten_thousand_calls_open_within_a_second_and_scroll_smoothly(page: Page, show: Show) -> None:
    show(page, shop_trace(10_000))
    assert count(page) == "10,000 calls"
    opened = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    # A second on a quiet machine, of which others may be using half.
    assert opened < 2_000
    frames = page.evaluate(SCROLL)
    assert page.locator("#rows .row").count() < 60
    assert len(frames) == 60
    frames.sort()
    # A few milliseconds each on a quiet machine; half of them in the time of a frame at 30 Hz on one that is busy.
    assert frames[30] < 33
    started = time.perf_counter()
    page.fill("[name=text]", "grace")
    assert " of 10,000 calls" in count(page)
    assert time.perf_counter() - started < 1.0


#: Scroll through the list, and return the milliseconds of drawing for each frame.
SCROLL = """async () => {
  const grid = document.getElementById("calls"), frames = [];
  for (let step = 1; step <= 60; step += 1) {
    let before = 0;
    const drawn = new Promise((done) => {
      requestAnimationFrame(() => { before = performance.now(); });
      grid.scrollTop = step * 613;
      grid.dispatchEvent(new Event("scroll"));
      // After the one in which the list draws, in the same frame.
      requestAnimationFrame(() => {
        document.getElementById("rows").getBoundingClientRect();
        done(performance.now() - before);
      });
    });
    frames.push(await drawn);
  }
  return frames;
}"""

#: Return the texts whose contrast to their background is less than 4.5.
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.offsetParent || ["SCRIPT", "OPTION"].includes(element.tagName)) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${element.tagName} ${element.className} ${ratio.toFixed(2)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pictures_of_the_documentation(
    new_page: Callable[..., Page], show: Show, picture: Callable[..., None], scheme: str
) -> None:
    page = new_page(width=1180, height=660, color_scheme=scheme, timezone_id="UTC")
    show(page, CALLS)
    picture(page, f"trace-calls-{scheme}")
    page.fill("[name=text]", "chat_stream")
    page.locator("#rows .row").nth(4).click()
    picture(page, f"trace-call-{scheme}")
    page.click("#clear")
    page.click("#tab-totals")
    picture(page, f"trace-totals-{scheme}")
