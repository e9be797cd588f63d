"""A data set of drawn images of any size, for networks to be timed on where the real one is not at hand."""

from __future__ import annotations

from typing import Any

from benchmark.configuration.specs import Config


class BlankImages:
    """As much of a data set as the building of networks asks for."""

    def __init__(self, *, image_size: int, num_classes: int) -> None:
        self.image_size, self.num_classes = image_size, num_classes
        self.class_names = [str(number) for number in range(num_classes)]

    def split(self, name: str) -> Any:
        """There are no images."""
        raise ValueError(f"drawn images have no split {name}")


def on_drawn_images(config: Config, image_size: int, num_classes: int) -> Config:
    """The configuration with such images in place of its data set, and a classifier of no weights of its own."""
    data = {"_target_": f"{__name__}.{BlankImages.__name__}", "image_size": image_size, "num_classes": num_classes}
    return {**config, "data": data, "classifier": {**config["classifier"], "pretrained": False, "checkpoint": None}}
