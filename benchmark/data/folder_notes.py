"""What a user has to know of an image folder and may well want: files that are not used, or used twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from benchmark.data.folder_index import SPLITS, USUAL, is_flat, listing
from benchmark.data.folder_layout import Layout
from benchmark.data.folder_scan import is_portable
from benchmark.data.repeated_files import MOST_FILES, Repeats, repeated_files
from benchmark.data.skipped_files import skipped_files


@cache
def folder_notes(root: Path, layout: Layout = USUAL) -> tuple[str, ...]:
    """Sentences with numbers; computed once per process and folder, as the fingerprint.

    Raises:
        OSError, ValueError: see :func:`listing`.
    """
    class_names, found = listing(root, layout)
    return (*_on_skipped(root, layout), *_on_names(root, class_names, found), *_on_repeats(root, found))


def _on_skipped(root: Path, layout: Layout) -> list[str]:
    skipped = str(skipped_files(root, tuple(layout.folder(split) for split in SPLITS), is_flat(root, layout)))
    return [f"not used of data.root={root}: {skipped}"] if skipped else []


def _on_names(root: Path, class_names: list[str], found: Mapping[str, Sequence[tuple[Path, int]]]) -> list[str]:
    names = [*class_names, *(file.name for files in found.values() for file, _ in files)]
    odd = [name for name in names if not is_portable(name)]
    notes = []
    if odd:
        notes.append(
            f"{len(odd)} names in data.root={root} are not portable (e.g. {odd[0]!r}): another system may change them, "
            "and the folder then counts as another data set"
        )
    by_case = {name.casefold(): name for name in class_names}
    if merged := [name for name in class_names if by_case[name.casefold()] != name]:
        notes.append(
            f"{len(merged)} classes of data.root={root} differ from another by upper and lower case only (e.g. "
            f"{merged[0]} and {by_case[merged[0].casefold()]}): other systems merge them"
        )
    return notes


def _on_repeats(root: Path, found: Mapping[str, Sequence[tuple[Path, int]]]) -> list[str]:
    if (count := sum(map(len, found.values()))) > MOST_FILES:
        return [f"data.root={root} has {count} images: more than {MOST_FILES} are not searched for repeated ones"]
    repeats = repeated_files(found)
    notes = [
        f"{number} of {len(found[split])} {split} images of data.root={root} are {earlier} images too, byte for byte "
        f"({_example(root, repeats, (split, earlier))}): results on them say nothing of unseen images; remove them "
        "from one of the splits"
        for (split, earlier), number in repeats.across.items()
    ]
    notes += [
        f"{number} of {len(found[split])} {split} images of data.root={root} repeat another of their class, byte for "
        f"byte ({_example(root, repeats, split)}): they count as samples of their own"
        for split, number in repeats.within.items()
    ]
    if repeats.classes:
        notes.append(
            f"{repeats.classes} images of data.root={root} lie under more than one class, byte for byte "
            f"({_example(root, repeats, 'classes')}): no classifier can get all of them right"
        )
    return notes


def _example(root: Path, repeats: Repeats, kind: str | tuple[str, str]) -> str:
    first, second = (file.relative_to(root).as_posix() for file in repeats.first[kind])
    return f"e.g. {first} and {second}"
