"""The shape of the source in figures, as Markdown: `python scripts/structure.py [DIRECTORY]`.

What a reader stumbles over is counted here and not felt: files without a package, long and branchy
functions, two things of one name, names that say nothing, and packages that import each other in
a circle. `docs/architecture.md` shows the figures; the tests hold those that must stay at zero.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Words that fit anything, and so tell a reader nothing about what they hold.
VAGUE = ("found", "item", "data", "row")
SHOWN = 10
# Names that many modules and classes bear on purpose: commands are called as what they do, and
# migrations are numbered.
_NAMED_APART = ("commands", "migrations")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """One function or method."""

    name: str
    module: str
    lines: int
    complexity: int


@dataclass(slots=True)
class Vague:
    """How often a name that says nothing is used.

    :param functions: That bind it, as a variable or as a parameter.
    :param parameter_types: The annotations of the parameters of this name.
    """

    functions: int = 0
    parameter_types: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Module:
    """One file.

    :param name: Dotted, below the root package; empty for the root itself.
    :param package: The first part of the name, or the module's own where it lies in the root.
    """

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def in_root(self) -> bool:
        return self.path.parent.name == "" and self.path.name != "__init__.py"


@dataclass(frozen=True, slots=True)
class Structure:
    """Everything that is counted of one package."""

    root: str
    modules: tuple[Module, ...]

    @classmethod
    def read(cls, directory: Path) -> "Structure":
        """:param directory: Of the root package."""
        modules = []
        for path in sorted(directory.rglob("*.py")):
            text = path.read_text()
            below = path.relative_to(directory)
            parts = below.with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            lines = len(text.splitlines())
            modules.append(Module(name, below, ast.parse(text, str(path)), lines))
        return cls(directory.name, tuple(modules))

    def in_root(self) -> list[str]:
        """Modules that lie in no package."""
        return [module.name for module in self.modules if module.in_root]

    def functions(self) -> list[FunctionFigures]:
        """Every function and method, also those inside others."""
        return [
            FunctionFigures(name, module.name, _length(node), complexity(node))
            for module in self.modules
            for name, node in _named_functions(module.tree)
        ]

    def packages(self) -> dict[str, tuple[int, int, int]]:
        """Files, lines and functions of each package; the root's own modules count as one."""
        figures: dict[str, tuple[int, int, int]] = {}
        for module in self.modules:
            package = "(root)" if module.in_root or not module.name else module.package
            files, lines, functions = figures.get(package, (0, 0, 0))
            own = sum(1 for _ in _named_functions(module.tree))
            figures[package] = (files + 1, lines + module.lines, functions + own)
        return dict(sorted(figures.items()))

    def modules_twice(self) -> dict[str, list[str]]:
        """Base names that two modules bear."""
        return _twice(
            (module.path.stem, module.name)
            for module in self.modules
            if module.path.stem != "__init__" and not _apart(module)
        )

    def classes_twice(self) -> dict[str, list[str]]:
        """Names that two classes bear, private ones aside."""
        return _twice(
            (node.name, module.name)
            for module in self.modules
            if not _apart(module)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )

    def vague(self) -> dict[str, Vague]:
        """The names of :data:`VAGUE` and where they are bound."""
        counted = {name: Vague() for name in VAGUE}
        for module in self.modules:
            for _, function in _named_functions(module.tree):
                for name in _bound(function) & counted.keys():
                    counted[name].functions += 1
                for parameter in _parameters(function):
                    if parameter.arg in counted:
                        types = counted[parameter.arg].parameter_types
                        types[ast.unparse(parameter.annotation or ast.Constant("?"))] += 1
        return counted

    def imports(self) -> dict[str, set[str]]:
        """Which packages each package imports; a module of the root counts as a package."""
        ends = {module.package for module in self.modules if module.name}
        graph: dict[str, set[str]] = {name: set() for name in ends}
        for module in self.modules:
            if module.name:
                imported = {name.split(".")[0] for name in self._imported(module)}
                graph[module.package] |= (imported & ends) - {module.package}
        return graph

    def _imported(self, module: Module) -> Iterator[str]:
        """Names below the root package that a module imports, wherever in it."""
        prefix = f"{self.root}."
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from (name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def cycles(self) -> list[list[str]]:
        """Groups of packages each of which reaches all the others by imports."""
        graph = self.imports()
        reached = {name: _reached(graph, name) for name in graph}
        groups = {
            tuple(sorted(other for other in reached[name] if name in reached[other]))
            for name in graph
        }
        return sorted(list(group) for group in groups if group)


def complexity(function: Function) -> int:
    """McCabe's number, counted as ruff does, whose limit `make lint` holds."""
    return 1 + sum(_branches(statement) for statement in function.body)


def _branches(node: ast.stmt) -> int:
    """The ways that one statement, and those inside it, add."""
    inside = sum(_branches(child) for child in _statements(node))
    match node:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
            return inside + 1
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return inside + 1
        case ast.Try() | ast.TryStar():
            return inside + len(node.handlers) + bool(node.orelse)
        case ast.Match():
            last = node.cases[-1]
            whatever_else = (
                last.guard is None
                and isinstance(last.pattern, ast.MatchAs)
                and last.pattern.pattern is None
            )
            return inside + len(node.cases) - whatever_else
        case _:
            return inside


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly inside a statement, also those of its handlers and cases."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def _named_functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, Function]]:
    """Functions with the names of the classes and functions that they are in."""
    for node in ast.iter_child_nodes(tree):
        name = within
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{within}.{node.name}" if within else node.name
        if isinstance(node, Function):
            yield name, node
        yield from _named_functions(node, name)


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _parameters(function: Function) -> list[ast.arg]:
    named = function.args
    rest = [each for each in (named.vararg, named.kwarg) if each]
    return [*named.posonlyargs, *named.args, *named.kwonlyargs, *rest]


def _bound(function: Function) -> set[str]:
    """Names that a function itself binds, and not one inside it."""
    names = {parameter.arg for parameter in _parameters(function)}
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, Function):
            waiting += ast.iter_child_nodes(node)
    return names


def _apart(module: Module) -> bool:
    return any(part in _NAMED_APART for part in module.path.parts)


def _twice(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, place in named:
        places[name].append(place)
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - reached:
            reached.add(name)
            waiting.append(name)
    return reached


def markdown(structure: Structure) -> str:
    """What is counted, as tables and lists."""
    functions = structure.functions()
    packages = structure.packages()
    files, lines, count = (sum(figures) for figures in zip(*packages.values(), strict=True))
    return "\n".join(
        [
            "| package | files | lines | functions |",
            "| --- | ---: | ---: | ---: |",
            *(f"| {name} | {f} | {n:,} | {c:,} |" for name, (f, n, c) in packages.items()),
            f"| **all** | {files} | {lines:,} | {count:,} |",
            "",
            *_ranked("longest functions, lines", "lines", functions),
            "",
            *_ranked("most complex functions, McCabe", "complexity", functions),
            "",
            f"- modules in the root: {_listed(structure.in_root())}",
            f"- module names used twice: {_places(structure.modules_twice())}",
            f"- class names used twice: {_places(structure.classes_twice())}",
            *(f"- {_vague_words(name, vague)}" for name, vague in structure.vague().items()),
            f"- package cycles: {_listed(' + '.join(cycle) for cycle in structure.cycles())}",
        ]
    )


def _ranked(title: str, figure: str, functions: list[FunctionFigures]) -> list[str]:
    first = sorted(functions, key=lambda each: (-getattr(each, figure), each.module, each.name))
    return [
        f"| {title} | |",
        "| --- | ---: |",
        *(f"| `{each.module}.{each.name}` | {getattr(each, figure)} |" for each in first[:SHOWN]),
    ]


def _vague_words(name: str, vague: Vague) -> str:
    types = len(vague.parameter_types)
    return f"`{name}`: bound in {vague.functions} functions, {types} types as a parameter"


def _places(twice: dict[str, list[str]]) -> str:
    return _listed(f"{name} ({', '.join(where)})" for name, where in twice.items())


def _listed(words: Iterable[str]) -> str:
    listed = list(words)
    return f"{len(listed)}: {'; '.join(listed)}" if listed else "none"


if __name__ == "__main__":
    here = Path(__file__).parents[1] / "liq_provider"
    print(markdown(Structure.read(Path(sys.argv[1]) if sys.argv[1:] else here)))
