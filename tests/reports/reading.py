"""How tests read a page: its elements, its text, and whether it could load or run anything."""

from __future__ import annotations

from html.parser import HTMLParser

_EMPTY = {"meta", "br", "hr"}


class Page(HTMLParser):
    """A page that was read whole: tags are closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """What a reader sees, in one line."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open or "title" in self._open or "desc" in self._open:
            return
        self.words.append(data)
        if self._open and self._open[-1] in ("h1", "h2"):
            self.headings.append(data)


def check_self_contained(page: Page) -> None:
    """Nothing in the page runs, and nothing is loaded from elsewhere."""
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "img", "form", "base", "use"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    styles = page.source.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in styles and "@import" not in styles and "http:" not in styles and "https:" not in styles
    policy = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1 and "default-src 'none'" in policy[0] and "script" not in policy[0]
