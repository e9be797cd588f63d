"""The picture of the rooms in docs/architecture.md is that of the imports."""

from __future__ import annotations

from tests.docs.rooms import CONTENT, ORDER, PICTURE, floors, imports, picture, without_implied
from tests.helpers import PROJECT


def test_the_picture_is_that_of_the_imports():
    made = picture(imports())
    assert PICTURE.read_text() == made, f"imports have changed: draw {PICTURE.name} anew, python -m tests.docs.rooms"
    assert f"figures/{PICTURE.name}" in (PROJECT / "docs" / "architecture.md").read_text()


def test_every_room_is_in_it():
    assert tuple(CONTENT) == ORDER
    assert [room for row in floors(imports()) for room in row] == list(ORDER)


def test_every_arrow_points_down():
    floor = {room: number for number, row in enumerate(floors(imports())) for room in row}
    assert all(floor[above] < floor[below] for above, below in imports())


def test_an_arrow_that_follows_from_others_is_left_out():
    shorter = [("commands", "pipeline"), ("pipeline", "engine"), ("engine", "storage")]
    implied = [("commands", "engine"), ("commands", "storage"), ("pipeline", "storage")]
    assert without_implied([*shorter, *implied]) == shorter
