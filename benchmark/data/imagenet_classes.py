"""ImageNet's 1,000 classes, by timm's own tables: WordNet ids, the order of every network's outputs, and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from timm.data import ImageNetInfo

NUM_CLASSES = 1000


@cache
def indices() -> dict[str, int]:
    """From a class's WordNet id (n01440764) to its index among the outputs of a network."""
    return {str(name): index for index, name in enumerate(ImageNetInfo().label_names())}


@cache
def words() -> tuple[str, ...]:
    """A name in words for each of the 1,000 classes, all different: the first of its synonyms where that is unique."""
    info = ImageNetInfo()
    every = [str(info.index_to_description(index)) for index in range(NUM_CLASSES)]
    first = [name.split(",")[0] for name in every]
    unique, whole = Counter(first), Counter(every)
    return tuple(
        short if unique[short] == 1 else name.replace(",", " or") if whole[name] == 1 else f"{short} ({wordnet_id})"
        for short, name, wordnet_id in zip(first, every, indices(), strict=True)
    )


def indices_of(folders: Sequence[str], what: str) -> list[int]:
    """The index of every class folder, in the order given.

    Args:
        what: the folder that they lie in, for messages.
    Raises:
        ValueError: names that are no WordNet id of the 1,000 classes.
    """
    known = indices()
    if unknown := [name for name in folders if name not in known]:
        shown = ", ".join(unknown[:8]) + (f" and {len(unknown) - 8} more" if len(unknown) > 8 else "")
        raise ValueError(
            f"data.classes=imagenet takes class folders named by the WordNet id of one of ImageNet's 1,000 classes "
            f"(n01440764), but {len(unknown)} of {len(folders)} in {what} are none: {shown}; rename or remove them, or "
            "set data.classes=folders, which numbers the folders by name"
        )
    return [known[name] for name in folders]


def are_wordnet_ids(folders: Sequence[str]) -> bool:
    """Whether all class folders are named so, and a network's 1,000 outputs may be meant."""
    return bool(folders) and set(folders) <= set(indices())
