"""docs/api.ipynb, its cells executed one after the other, and the calls of docs/api.md."""

from __future__ import annotations

import ast
import inspect
import json
import re

import benchmark
from tests.helpers import PROJECT


def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((PROJECT / "docs" / "api.ipynb").read_text(encoding="utf-8"))
    names: dict = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "docs/api.ipynb", "exec"), names)
    assert "gradcam: accuracy" in capsys.readouterr().out
    estimates = names["result"].estimates
    assert estimates["clean", "accuracy"].value > 0.7
    assert estimates["adv2_auto", "success"].value > 0.75
    assert estimates["adv2_auto", "map_l1"].value < 0.5 * estimates["pgd", "map_l1"].value
    assert not any(tmp_path.iterdir())


def test_every_public_name_is_on_the_page_and_says_what_it_does():
    page = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in benchmark.__all__:
        found = getattr(benchmark, name)
        assert f"`{name}" in page or f"{name}(" in page or name in ("Results",), name
        assert inspect.getdoc(found), name
        if inspect.isfunction(found):
            assert "Raises:" in inspect.getdoc(found), name
            hints = inspect.signature(found)
            assert all(each.annotation is not inspect.Parameter.empty for each in hints.parameters.values())


def test_the_calls_on_the_page_are_python_with_arguments_that_exist():
    page = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    calls = 0
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                target = node.func
                if isinstance(target.value, ast.Name) and target.value.id == "benchmark":
                    named = {each.arg: None for each in node.keywords}
                    inspect.signature(getattr(benchmark, target.attr)).bind(*node.args, **named)
                    calls += 1
    assert calls >= 10
