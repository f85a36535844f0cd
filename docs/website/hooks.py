"""What MkDocs is told beside its configuration: pages that lie elsewhere, and links between them.

README.md, CHANGELOG.md and benchmarks/README.md are pages too, so that nothing is written twice.
Their links, and links to them, are those of the repository; here they become those of the website.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.structure.files import File
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parents[2]
# file of the repository -> page
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")


def on_files(files, config):
    """Adds the pages that lie outside of docs/."""
    for path, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text()))
    style = Path(__file__).with_name("website.css").read_text() + colors_of_code()
    files.append(File.generated(config, "website.css", content=style))
    return files


def colors_of_code():
    """The style sheet of what Pygments marks up, on light and on dark ground."""
    return "\n".join(
        HtmlFormatter(style=style, nobackground=True).get_style_defs(f"{ground} .highlight")
        for ground, style in (
            ("[data-bs-theme=light]", "default"),
            ("[data-bs-theme=dark]", "nord"),
        )
    )


def on_page_markdown(markdown, page, config, files):
    """Follows each relative link from where the file lies, to where its page is."""
    source = {page: path for path, page in ELSEWHERE.items()}.get(page.file.src_uri)
    source = PurePosixPath(source or f"docs/{page.file.src_uri}")
    here = PurePosixPath(page.file.src_uri).parent

    def followed(link):
        start, target, end = link.groups()
        path = os.path.normpath(source.parent / target)
        to = ELSEWHERE.get(path, path.removeprefix("docs/"))
        return f"{start}{os.path.relpath(to, here)}{end}"

    return LINK.sub(followed, markdown)
