"""Imagenette: ten of ImageNet's classes, 9,469 photographs to train with and 3,925 to test, by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge
from torchvision import datasets

from benchmark.data.image_folder import ImageFolder
from benchmark.numerics.bounds import ImageCount, OpenInterval, Seed, checked_arguments
from benchmark.numerics.expectations import Limit, Says

_FOLDER = {"full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160"}


class Imagenette(ImageFolder):
    """fast.ai's Imagenette in ImageNet's class space, K = 1,000. Everything else is as in an image folder.

    Args:
        root: folder to download to, or that has imagenette2-320. size: full | 320px | 160px, of the shorter side.
        download: whether a missing archive may be downloaded.
    Raises:
        OSError: the photographs are not there and cannot be downloaded.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        root: str,
        seed: Seed,
        image_size: Annotated[int, Ge(16), Limit(16_384), Says("a whole number of pixels, at least 16")] = 224,
        size: Literal["full", "320px", "160px"] = "320px",
        download: bool = True,
        calibration_share: OpenInterval = 0.1,
        train: ImageCount | None = None,
        calibration: ImageCount | None = None,
        test: ImageCount | None = None,
    ) -> None:
        super().__init__(
            root=str(_fetched(Path(root).expanduser(), size, download)),
            seed=seed,
            image_size=image_size,
            calibration_share=calibration_share,
            classes="imagenet",
            test_folder="val",
            train=train,
            calibration=calibration,
            test=test,
        )


def _fetched(root: Path, size: str, download: bool) -> Path:
    """The folder of the photographs, downloaded where they are missing."""
    try:
        datasets.Imagenette(root, size=size, download=download)
    except (OSError, RuntimeError) as error:
        address, _ = datasets.Imagenette._ARCHIVES[size]
        tried = f"fetching {address} failed" if download else "data.download is false"
        raise OSError(
            f"Imagenette is not in {(root / _FOLDER[size]).resolve()} and {tried} ({error}): unpack the archive there "
            "by hand (it holds train/ and val/), or use a folder of your own, data=image_folder data.root=FOLDER "
            "data.classes=imagenet"
        ) from None
    return root / _FOLDER[size]
