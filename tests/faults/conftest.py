"""The undisturbed sweep that every disturbed one is compared with."""

from __future__ import annotations

import pytest

from tests.faults.harness import CELLS, computed, finish


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Its folder, and its records to the byte."""
    root = tmp_path_factory.mktemp("undisturbed")
    finish(root)
    records = computed(root)
    assert len(records) == CELLS
    return root, records
