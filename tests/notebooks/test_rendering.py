"""Results and answers render in notebooks: readable, bounded, without a secret, and without code of their authors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from muxi import FormationClient, ServerClient, TurnFailed
from muxi.rendering import CELL, ROWS, TEXT, LiveMarkdown, render_html, render_markdown
from muxi.result import Meta, Result
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Failure, MemoryTransport, Part, Turn
from tests.hello import FRAMES, HELLO
from tests.notebooks.conftest import Side
from tests.scripted import Script, SyncSide

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "</td></table><iframe src=//evil>",
    "`<script>alert(1)</script>`",
    "``` \n<script>alert(1)</script>\n```",
    "```\n</code></pre><script>alert(1)</script>",
    "~~~ `\n<script>alert(1)</script>\n~~~\n<script>",
    "$$\n```\n$$\n<script>alert(1)</script>",
    "> ```\n<script>alert(1)</script>",
    "`a\n<script>alert(1)</script>`",
    "![x](https://evil.example/?q=1)",
    "!![x](https://evil.example/?q=1)",
    "![x][r]\n\n[r]: https://evil.example/",
    "[x](javascript:alert(1))",
    "[x]( JavaScript\\:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](java&#115;cript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x]\n\n[x]:\njavascript:alert(1)",
    "<javascript:alert(1)>",
    "<!-- x --><script>",
    "<?php <script> ?>",
)


class Tags(HTMLParser):
    """Collects the tags and the attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def page_of(markdown: str) -> Tags:
    """The page that a notebook makes of Markdown, which may have HTML in it and is trusted."""
    permissive = MarkdownIt("commonmark", {"html": True})
    permissive.validateLink = lambda url: True  # type: ignore[method-assign]  # other renderers refuse no scheme
    return Tags(permissive.render(markdown))


def text_of(markdown: str) -> str:
    class Text(HTMLParser):
        found = ""

        def handle_data(self, data: str) -> None:
            self.found += data

    reader = Text()
    reader.feed(MarkdownIt("commonmark", {"html": True}).render(markdown))
    reader.close()
    return reader.found.strip()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "- {}", "> {}", "# {}", "a\n\n{}\n\nb", "    {}", "```\n{}"])
def test_markdown_of_an_answer_has_no_tag_image_or_script_of_its_author(text: str, around: str) -> None:
    page = page_of(render_markdown(around.format(text)))
    assert not page.tags - {"a", "blockquote", "code", "em", "h1", "li", "p", "pre", "strong", "ul"}
    for name, value in page.attributes:
        assert name in ("class", "href")
        assert not str(value).lower().lstrip().startswith(("javascript:", "vbscript:", "data:"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_shows_any_field_as_text(text: str) -> None:
    record = {text: text, "nested": {text: [text]}}
    for data in ({"memories": [record, {text: None}], "count": 2}, {text: [record]}, record, {"x": [record, text]}):
        page = Tags(render_html(data))
        assert page.tags <= {"caption", "div", "table", "tbody", "td", "th", "thead", "tr"}
        assert not page.attributes


@pytest.mark.parametrize(
    "text",
    ["vector<int> a;", "a & b &amp; c", "use `List<T>` and ``a ` b``", "```cpp\nvector<int> *a* = $b$;\n```", "1 < 2"],
)
def test_what_an_answer_says_is_what_a_reader_sees(text: str) -> None:
    plain = text.replace("```cpp\n", "").replace("\n```", "").replace("`List<T>`", "List<T>")
    assert text_of(render_markdown(text)) == plain.replace("``a ` b``", "a ` b")


def test_markdown_keeps_its_structure() -> None:
    page = page_of(render_markdown("# Title\n\n- **one**\n- [two](https://example.com/?a=1&b=2)"))
    assert page.tags == {"h1", "ul", "li", "strong", "a"}
    assert page.attributes == [("href", "https://example.com/?a=1&b=2")]


def test_no_secret_is_shown() -> None:
    rows = [{"name": "a", "api_key": "hunter2hunter2", "note": "it is fma_0123456789abcdef"}]
    shown = render_html({"keys": rows, "token": "abcdefghij"}) + render_markdown("use fma_0123456789abcdef")
    for secret in ("hunter2hunter2", "0123456789abcdef", "abcdefghij"):
        assert secret not in shown


def test_what_is_shown_is_bounded() -> None:
    rows = [{f"f{number}": "x" * 10_000 for number in range(30)} for _ in range(1000)]
    page = render_html({"rows": rows, **{f"n{number}": "y" * 10_000 for number in range(1000)}})
    assert len(page) < (ROWS * 14 + 100) * (CELL + 50)
    assert "rows: 1,000 (950 more rows, 18 more columns)" in page
    assert "951 more fields" in page or "950 more fields" in page
    assert render_markdown("x" * (TEXT + 5)).endswith("… 5 more characters")


def test_a_chat_is_markdown_and_other_results_are_tables(each: Side) -> None:
    client = each.client(EmbeddedFormation())
    chat = each.run(client.chat("*Hello*", user_id="ada"))
    assert chat._repr_markdown_() == "You said: *Hello*"
    assert chat._repr_html_() is None
    each.run(client.add_memory("Prefers <b>Python</b>", user_id="ada"))
    memories = each.run(client.get_memories(user_id="ada"))
    assert memories._repr_markdown_() is None
    assert "<td>Prefers &lt;b&gt;Python&lt;/b&gt;</td>" in memories._repr_html_()
    assert Result({}, meta=Meta())._repr_html_() == "<div><table><tbody></tbody></table></div>"


def test_an_answer_that_grows_is_shown_ten_times_a_second_and_whole_at_its_end() -> None:
    shown: list[str] = []
    seconds = iter([0.0, 0.0, 0.0, 0.05, 0.11, 0.11, 0.12, 0.12, 0.13])
    screen = LiveMarkdown(shown.append, lambda: next(seconds))
    for piece in "abcd":
        screen.add(piece)
    assert shown == ["a", "abc"]
    screen.end()
    screen.end()
    assert shown == ["a", "abc", "abcd"]


class FakeFormatter:
    """Stands for one of IPython's: functions by type, those of bases included, go before methods."""

    def __init__(self, print_method: str) -> None:
        self.print_method = print_method
        self.type_printers: dict[type, Callable[[Any], Any]] = {}

    def for_type(self, type_: type, printer: Callable[[Any], Any]) -> None:
        self.type_printers[type_] = printer

    def __call__(self, value: object) -> Any:
        printers = [self.type_printers[base] for base in type(value).__mro__ if base in self.type_printers]
        if printers:
            return printers[0](value)
        method = getattr(value, self.print_method, None)
        return method() if method else None


class FakeNotebook:
    """Stands for IPython in a kernel: keeps what is displayed."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.display = SimpleNamespace(Markdown=str, display=self._display)

        self.formatters = {
            kind: FakeFormatter(method)
            for kind, method in (("text/markdown", "_repr_markdown_"), ("text/html", "_repr_html_"))
        }

    def get_ipython(self) -> object:
        return SimpleNamespace(kernel=object(), display_formatter=SimpleNamespace(formatters=self.formatters))

    def shows(self, value: object) -> dict[str, str]:
        """What the last value of a cell is shown as, by media type."""
        shown = {kind: formatter(value) for kind, formatter in self.formatters.items()}
        return {kind: text for kind, text in shown.items() if text is not None}

    def _display(self, first: str, *, display_id: bool) -> object:
        self.shown.append(first)
        return SimpleNamespace(update=self.shown.append)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> FakeNotebook:
    made = FakeNotebook()
    monkeypatch.setitem(sys.modules, "IPython", made)
    return made


def test_show_displays_the_answer_as_it_is_made_and_returns_the_message(each: Side, notebook: FakeNotebook) -> None:
    client = each.client(EmbeddedFormation())
    message = each.run(client.chat_stream("*Hi*", user_id="ada").show())
    assert message["content"] == notebook.shown[-1] == "You said: *Hi*"
    assert notebook.shown[0] == ""


def test_a_turn_that_fails_leaves_what_has_been_shown(each: Side, notebook: FakeNotebook) -> None:
    world = EmbeddedFormation()

    def break_off(turn: Turn) -> Iterator[Part]:
        yield "Half an "
        yield Failure("no more")

    world.agent("support", break_off)
    with pytest.raises(TurnFailed):
        each.run(each.client(world).chat_stream("Hi", user_id="ada").show())
    assert notebook.shown[-1] == "Half an "


def test_a_chat_that_is_the_value_of_a_cell_shows_itself_once(
    notebook: FakeNotebook, capsys: pytest.CaptureFixture[str]
) -> None:
    with FormationClient(transport=MemoryTransport(EmbeddedFormation())) as client:
        stream = client.chat_stream("Hi", user_id="ada")
        stream._ipython_display_()
        assert notebook.shown[-1] == "You said: Hi"
        before = list(notebook.shown)
        stream._ipython_display_()
        assert notebook.shown == before
        assert capsys.readouterr().out == "<EventStream chat_stream (POST /chat), closed>\n"


def test_a_stream_that_is_no_chat_is_shown_as_its_repr_and_is_not_read(
    notebook: FakeNotebook, capsys: pytest.CaptureFixture[str]
) -> None:
    stream: Any = SyncSide().open(Script(HELLO), FRAMES).stream
    stream._ipython_display_()
    assert capsys.readouterr().out == "<EventStream GET /news, open>\n"
    assert notebook.shown == []
    assert len(list(stream)) == 1


def test_the_result_of_a_stream_is_a_plain_dict_that_a_notebook_shows_as_markdown(
    each: Side, notebook: FakeNotebook
) -> None:
    message = each.run(each.client(EmbeddedFormation()).chat_stream("*Hi*", user_id="ada").result())
    assert type(message) is dict
    assert notebook.shows(message) == {"text/markdown": "You said: *Hi*"}
    assert notebook.shows(dict(message)) == {}, "dicts of the program are left alone"


def test_the_result_of_a_deployment_is_a_plain_dict_that_a_notebook_shows_as_a_table(
    notebook: FakeNotebook, tmp_path: Path
) -> None:
    (tmp_path / "formation.yaml").write_text("id: my-bot\ndescription: A bot\n")
    with ServerClient(transport=MemoryTransport(EmbeddedServer())) as server:
        deployed = server.deploy_formation_stream(tmp_path).result()
    assert type(deployed) is dict
    assert notebook.shows(deployed).keys() == {"text/html"}
    assert "<td>my-bot</td>" in notebook.shows(deployed)["text/html"]


def test_other_results_and_formatters_of_dicts_stay_as_they_were(each: Side, notebook: FakeNotebook) -> None:
    notebook.formatters["text/html"].for_type(dict, lambda data: f"<b>{len(data)}</b>")
    client = each.client(EmbeddedFormation())
    for _ in range(2):
        each.run(client.chat_stream("Hi", user_id="ada").result())
    chat = each.run(client.chat("*Hello*", user_id="ada"))
    assert notebook.shows(chat) == {"text/markdown": "You said: *Hello*"}
    assert notebook.shows(each.run(client.get_memories("ada"))).keys() == {"text/html"}
    assert notebook.shows({"a": 1}) == {"text/html": "<b>1</b>"}


def test_outside_a_notebook_show_prints(each: Side, capsys: pytest.CaptureFixture[str]) -> None:
    each.run(each.client(EmbeddedFormation()).chat_stream("Hi", user_id="ada").show())
    assert capsys.readouterr().out == "You said: Hi\n"


def test_the_import_of_the_sdk_loads_no_rendering() -> None:
    code = "import sys, muxi; muxi.FormationClient; muxi.EventStream; print('muxi.rendering' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
