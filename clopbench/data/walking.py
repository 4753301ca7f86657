"""Which images lie below a folder. Nothing is opened; what is left out is counted, what is wrong is refused.

- Hidden files and folders (a name that begins with a dot, or one of LEFTOVERS) are ignored, at any depth.
- A file is an image by the end of its name. Files BESIDE images are ignored; any other file is refused, so
  that images in a format that cannot be read are not left out unnoticed.
- Links are followed, to a folder once; one that leads back to a folder above it is ignored. A link to nothing
  is refused, and so is what is neither file nor folder.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clopbench.errors import UserError, visible

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".gif"}
BESIDE = {".txt", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".md", ".html", ".db", ".ini"}
"""Lists, boxes, notes, and what file managers leave (Thumbs.db, desktop.ini)."""
LEFTOVERS = {"__MACOSX", "@eaDir"}
"""What archives of a Mac and network disks add: copies of names, small copies of images."""

HIDDEN = "hidden files or folders"
OUTSIDE = "files outside of class folders"
SEEN = "links to folders that were there already"
KINDS = {
    stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"
}  # fmt: skip


def shown(path: Path | str) -> str:
    """A path in one line: characters that cannot be printed are written as escapes."""
    return visible(str(path))


@dataclass
class Ignored:
    """What of a tree is not used: each kind, how often, and the first of them, below `root`."""

    root: Path
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, path: Path, number: int = 1) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + number
        self.first.setdefault(kind, shown(path.relative_to(self.root)))

    def lines(self) -> list[str]:
        """'hidden files or folders (3, such as train/ant/.DS_Store)' for each kind."""
        return [f"{kind} ({number}, such as {self.first[kind]})" for kind, number in self.counts.items()]


@dataclass(frozen=True)
class Entry:
    """What a folder holds under one name. folder: where it is one, its device and inode, whatever the path."""

    path: Path
    folder: tuple[int, int] | None
    is_link: bool


def entries(folder: Path, ignored: Ignored) -> list[Entry]:
    """Files and folders in a folder, sorted by name, without hidden ones. Raises UserError."""
    with _reading(folder), os.scandir(folder) as listing:
        named = sorted(listing, key=lambda entry: entry.name)
    found = []
    for entry in named:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name in LEFTOVERS:
            ignored.add(HIDDEN, path)
        else:
            with _reading(path):
                found.append(_entry(path, entry))
    return found


def _entry(path: Path, entry: "os.DirEntry[str]") -> Entry:
    """Raises UserError for a link to nothing, and for what would block whoever opens it."""
    if entry.is_file():
        return Entry(path, None, False)
    if not is_folder(path):
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode), "something else")
        raise UserError(f"{shown(path)}: is neither a file nor a folder, but {kind}")
    about = path.stat()
    return Entry(path, (about.st_dev, about.st_ino), entry.is_symlink())


def class_folders(folder: Path, ignored: Ignored) -> list[str]:
    """The names of the folders in a split's folder, sorted. Raises UserError where there is none."""
    names = []
    for entry in entries(folder, ignored):
        if entry.folder is not None:
            names.append(entry.path.name)
        else:
            ignored.add(OUTSIDE, entry.path)
    if not names:
        raise UserError(f"--from: {shown(folder)} has no class folders")
    return names


class Walk:
    """Goes through the class folders of a split one after the other.

    A folder that links bring into two classes is refused: its images would have two labels.
    """

    def __init__(self, ignored: Ignored):
        self.ignored = ignored
        self.owners: dict[tuple[int, int], Path] = {}

    def images_below(self, top: Path) -> list[Path]:
        """Images in a folder and below, sorted by path. Raises UserError where there is none."""
        found: list[Path] = []
        with _reading(top):
            about = top.stat()
        folders, links = [Entry(top, (about.st_dev, about.st_ino), False)], []
        while folders or links:  # Links last: what they lead to may have been reached without them.
            here = folders.pop() if folders else links.pop(0)
            if not self._is_new(here, top):
                continue
            for entry in entries(here.path, self.ignored):
                if entry.folder is not None:
                    (links if entry.is_link else folders).append(entry)
                elif is_image(entry.path, self.ignored):
                    found.append(entry.path)
        if not found:
            raise UserError(f"--from: {shown(top)} holds no image")
        return sorted(found, key=lambda path: path.parts)

    def _is_new(self, here: Entry, top: Path) -> bool:
        assert here.folder is not None
        leads_up = here.is_link and here.path.parent.resolve().is_relative_to(here.path.resolve())
        owner = top if leads_up else self.owners.get(here.folder)
        if owner is None:
            self.owners[here.folder] = top
            return True
        if owner != top:
            raise UserError(f"{shown(here.path)}: is a folder of {shown(owner)} too, by a link")
        self.ignored.add(SEEN, here.path)
        return False


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read ({error.strerror})") from None


def is_folder(path: Path) -> bool:
    """Whether there is such a folder. Raises UserError where it is a link to nothing."""
    if path.is_symlink() and not path.exists():
        raise UserError(f"{shown(path)}: is a link to {shown(os.readlink(path))}, which is not there")
    return path.is_dir()


def is_image(path: Path, ignored: Ignored) -> bool:
    """Whether a file is an image, by its name; else it is ignored. Raises UserError for other files."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return True
    if suffix not in BESIDE:
        raise UserError(f"{shown(path)}: is no image (images end in {', '.join(sorted(SUFFIXES))})")
    ignored.add(f"{suffix} files", path)
    return False
