"""The arguments of a ``_target_`` with their types, read from its source: nothing is imported or executed."""

from __future__ import annotations

import ast
import functools
import importlib.util
import operator
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt

from benchmark.numerics import bounds, expectations
from benchmark.numerics.expectations import Expectation, Limit, Part, Says, expectation

OURS = ("benchmark", "lightning_modules")

_MARKS = (Gt, Ge, Lt, Le, Limit, Says)

# What an annotation may be made of. Whatever else it names is a part in our own classes, and unchecked in others'.
_WORDS: dict[str, Any] = {
    **{name: value for name, value in vars(bounds).items() if typing.get_origin(value) is typing.Annotated},
    **{name: getattr(typing, name) for name in ("Annotated", "Any", "Literal", "Optional", "Union")},
    **{mark.__name__: mark for mark in _MARKS},
    **{each.__name__: each for each in (bool, int, float, str, dict, list, tuple, Path)},
    **{"Sequence": list, "Iterable": list, "Mapping": dict, "List": list, "Dict": dict, "Tuple": tuple},
}


@dataclass(frozen=True)
class Argument:
    """One argument: what it may be (None: anything), and whether it has no default."""

    expected: Expectation | None
    required: bool


@dataclass(frozen=True)
class Signature:
    """The arguments of a target; an ``open`` one takes any others too."""

    arguments: dict[str, Argument]
    open: bool = False


class NoSuchTarget(LookupError):
    """A ``_target_`` that names nothing; ``near`` are the names that are there."""

    def __init__(self, missing: str, there: list[str]) -> None:
        super().__init__(missing)
        self.near = expectations.near(missing.rpartition(".")[2], there)


@cache
def signature(target: str) -> Signature | None:
    """The signature of a class or function by its dotted path; None where it cannot be read without running code.

    Raises:
        NoSuchTarget: there is no such module, or no such name in a module of this suite.
    """
    module, _, name = target.rpartition(".")
    if not module:
        raise NoSuchTarget(target, [])
    tree = _tree(module)
    if tree is None:
        return None
    found = _defined(module, name)
    if found is None:
        if module.partition(".")[0] in OURS:
            raise NoSuchTarget(target, [each.name for each in tree.body if isinstance(each, ast.ClassDef)])
        return None
    return _signature(*found)


@cache
def _file(module: str) -> Path | None:
    """A module's source. Parents are found as folders, since finding them the usual way would import them."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise NoSuchTarget(module, [])
    if not rest and spec.origin is not None:
        return Path(spec.origin) if spec.origin.endswith(".py") else None
    for root in spec.submodule_search_locations or []:
        path = Path(root, *rest)
        for file in (path.with_suffix(".py") if rest else path, path / "__init__.py"):
            if file.is_file():
                return file
    if top in OURS:
        raise NoSuchTarget(module, [])
    return None


@cache
def _tree(module: str) -> ast.Module | None:
    file = _file(module)
    try:
        return None if file is None else ast.parse(file.read_bytes())
    except (SyntaxError, OSError):
        return None


def _defined(module: str, name: str, depth: int = 0) -> tuple[str, ast.ClassDef | ast.FunctionDef] | None:
    """Where a name is defined that a module defines or imports, and its definition."""
    try:
        tree = _tree(module)
    except NoSuchTarget:
        return None
    for node in tree.body if tree is not None and depth < 8 else []:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _defined(node.module, alias.name, depth + 1)
    return None


def _signature(module: str, node: ast.ClassDef | ast.FunctionDef) -> Signature | None:
    if isinstance(node, ast.FunctionDef):
        return _of_function(module, node, skip=0)
    if any("dataclass" in ast.unparse(each) for each in node.decorator_list):
        return _of_dataclass(module, node)
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            return _of_function(module, each, skip=1)
    return _of_bases(module, node)


def _of_bases(module: str, node: ast.ClassDef) -> Signature | None:
    for base in node.bases:
        found = _defined(module, base.id) if isinstance(base, ast.Name) else None
        if found is None:
            return None
        if (inherited := _signature(*found)) is not None:
            return inherited
    return None if node.bases else Signature({})


def _of_function(module: str, node: ast.FunctionDef, skip: int) -> Signature:
    args, arguments = node.args, {}
    positional = [*args.posonlyargs, *args.args][skip:]
    free = len(positional) - len(args.defaults)
    for index, each in enumerate(positional):
        arguments[each.arg] = Argument(_expected(module, each.annotation), index < free)
    for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        arguments[each.arg] = Argument(_expected(module, each.annotation), default is None)
    return Signature(arguments, open=args.kwarg is not None)


def _of_dataclass(module: str, node: ast.ClassDef) -> Signature | None:
    arguments: dict[str, Argument] = {}
    if node.bases:
        inherited = _of_bases(module, node)
        if inherited is None:
            return None
        arguments |= inherited.arguments
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            arguments[each.target.id] = Argument(_expected(module, each.annotation), each.value is None)
    return Signature(arguments)


def _expected(module: str, annotation: ast.expr | None) -> Expectation | None:
    return None if annotation is None else expectation(_type(module, annotation))


def _type(module: str, node: ast.expr) -> Any:
    """The type or value that an expression of an annotation means; Any where it means nothing that is known."""
    if isinstance(node, ast.Constant):
        return _type(module, ast.parse(node.value, mode="eval").body) if isinstance(node.value, str) else node.value
    if isinstance(node, ast.Name):
        return _named(module, node.id)
    if isinstance(node, ast.Attribute):
        return _WORDS.get(node.attr) or _unknown(module)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_type(module, node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _either(_type(module, node.left), _type(module, node.right))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.Sub):
        left, right = _type(module, node.left), _type(module, node.right)
        return left**right if isinstance(node.op, ast.Pow) else left - right
    if isinstance(node, ast.Call):
        values = [_value(module, each) for each in node.args]
        named = {each.arg: _value(module, each.value) for each in node.keywords if each.arg is not None}
        make = _type(module, node.func)
        return make(*values, **named) if make in _MARKS else Any
    return _subscript(module, node) if isinstance(node, ast.Subscript) else Any


def _either(*types: Any) -> Any:
    return functools.reduce(operator.or_, (type(None) if each is None else each for each in types))


def _subscript(module: str, node: ast.Subscript) -> Any:
    base = _type(module, node.value)
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if base is typing.Literal:
        return typing.Literal[tuple(_value(module, each) for each in items)]
    if base is typing.Annotated:
        metadata = tuple(_value(module, each) for each in items[1:])
        return typing.Annotated[(_type(module, items[0]), *metadata)]
    if base in (typing.Optional, typing.Union):
        types = [_type(module, each) for each in items]
        return _either(*types, *([None] if base is typing.Optional else []))
    if base is list or base is tuple:
        return list[_type(module, items[0])]  # type: ignore[misc]
    return base


def _value(module: str, node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else _type(module, node)


def _named(module: str, name: str) -> Any:
    """A word of annotations, a type that the module itself gives a name to, or what stands for the rest."""
    if name in _WORDS:
        return _WORDS[name]
    for node in (_tree(module) or ast.Module([], [])).body:
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == [name]:
            return _type(module, node.value) if isinstance(node.value, ast.Subscript | ast.BinOp) else Any
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OURS:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _named(node.module, alias.name)
    return _unknown(module)


def _unknown(module: str) -> Any:
    return Part if module.partition(".")[0] in OURS else Any
