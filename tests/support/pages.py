"""HTML pages, parsed for tests."""

from html.parser import HTMLParser

VOID = {"br", "img", "input", "meta"}


class Page(HTMLParser):
    """A parsed page: its texts, tags, resources and attributes, and whether its tags are well nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.resources: list[str] = []
        self.attributes: set[str] = set()
        self.well_nested = True
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.well_nested &= not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attributes}
        self.resources += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]
        self._open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        self.well_nested &= bool(self._open) and self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
