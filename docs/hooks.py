"""What the site takes from outside docs/: the answer, results, tables with their figures, the HTML report.

They keep their paths below the repository's root, and docs/ stands at the root of the site. A link to a file
that is no page of the site stays as its text.
"""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "tables/*/*.md", "slurm/lab/README.md", "benchmarks/*/README.md")
BESIDE = ("tables/*/*.png", "tables/*/*.pdf", "tables/*/*.csv", "tables/*/*.tex", "benchmarks/*/*.png")
REPORT = "report.html"
LINK = re.compile(r"(!?)\[((?:\\.|[^\]\\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages, what lies beside them, and the report."""
    for pattern in PAGES + BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    files.append(File.generated(config, REPORT, abs_src_path=str(_report())))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links from a file of the repository to the pages of the site."""
    here = _in_repository(page.file.src_uri)

    def led(found: re.Match[str]) -> str:
        sign, text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return found[0]
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(here), path)).removeprefix("docs/")
        if files.get_file_from_path(wanted) is None:
            return text
        relative = posixpath.relpath(wanted, posixpath.dirname(page.file.src_uri) or ".")
        return f"{sign}[{text}]({relative}{hash_}{anchor})"

    kept = FENCE.finditer(markdown)
    parts, end = [], 0
    for fence in kept:
        parts += [LINK.sub(led, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(led, markdown[end:])])


def _in_repository(src_uri: str) -> str:
    inside = ROOT / "docs" / src_uri
    return f"docs/{src_uri}" if inside.is_file() else src_uri


def _report() -> Path:
    """The HTML report on the published records; made anew where it is older than they are, or than its code."""
    from clopbench.report.html import page
    from clopbench.report.publication import published_records
    from clopbench.results import looks
    from clopbench.suite.suite import Suite

    published = ROOT / "results" / "published"
    target = ROOT / "results" / "report-of-site.html"
    sources = [*published.glob("*"), *(ROOT / "tables").glob("*.*"), *(ROOT / "clopbench").rglob("*.*")]
    newest = max(os.stat(path).st_mtime for path in sources if "__pycache__" not in path.parts)
    if not target.exists() or target.stat().st_mtime < newest:
        suite = Suite(ROOT)
        target.write_text(page.report(suite, published_records(suite), looks=looks.read(published)[0]))
    return target
