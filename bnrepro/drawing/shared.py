"""What the drawings of a page share: letters, marks and styles stand on it once."""

import re

_DRAWING = re.compile(r"<svg .*?</svg>", re.DOTALL)
_STYLE = re.compile(r'\bstyle="([^"]*)"')
_SHAPE = re.compile(r'<path id="([^"]+)"([^>]*)/>')


def with_shared_shapes(page: str) -> str:
    """The page with every shape that its drawings use, and every style of theirs, once, at the top
    of its body, and with references to them."""
    shapes: dict[str, str] = {}
    styles: dict[str, str] = {}
    sheets: dict[str, None] = {}

    def referring(drawing: re.Match[str]) -> str:
        svg = drawing[0]
        sheets.update(dict.fromkeys(re.findall(r"<style.*?</style>", svg)))
        svg = re.sub(r"<style.*?</style>", "", svg)
        svg = _STYLE.sub(lambda one: f'class="{_named(one[1], "s", styles)}"', svg)
        names = {name: _named(shape, "g", shapes) for name, shape in _SHAPE.findall(svg)}
        svg = re.sub(r"<defs></defs>", "", _SHAPE.sub("", svg))
        return re.sub(r'href="#([^"]+)"', lambda one: f'href="#{names.get(one[1], one[1])}"', svg)

    page = _DRAWING.sub(referring, page)
    if not sheets:
        return page
    rules = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    paths = "".join(f'<path id="{name}"{shape}/>' for shape, name in shapes.items())
    hidden = (
        '<svg aria-hidden="true" width="0" height="0" style="position: absolute">'
        f"{''.join(sheets)}<style>{rules}</style><defs>{paths}</defs></svg>"
    )
    return page.replace("<body>\n", f"<body>\n{hidden}\n", 1)


def _named(content: str, prefix: str, names: dict[str, str]) -> str:
    """The name of that content, a new one for a new content."""
    return names.setdefault(content, f"{prefix}{len(names):x}")
