"""The house rules as tests: imports run one way, files stay small, opening costs nothing.

The table of who may import whom is DESIGN's, module by module. A new module is added here on
purpose, with what it may know; a module nobody has placed fails.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structure

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parent.parent
ROOTS = {
    "hubseg": REPOSITORY / "src" / "hubseg",
    "napari_hubseg": REPOSITORY / "napari_hubseg",
}

QT = {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "superqt", "magicgui", "pyqtgraph", "vispy"}
NETWORKS = {"torch", "torchvision", "timm", "segmentation_models_pytorch"}

# Room -> what it may import from `hubseg`, lazily or not. A package has one row for all its files,
# which may know each other; only formats do not.
CORE: dict[str, set[str]] = {
    "": set(),
    # words that everything uses
    "organ": set(),
    "window": set(),
    "failure": set(),
    "process": set(),
    "outcome": {"failure", "slide"},
    # what is run, and on what
    "slide": {"failure", "organ", "window"},
    "thresholds": {"failure", "organ"},
    "cleanup": {"organ"},
    "recipe": {"cleanup", "failure", "organ", "thresholds"},
    # how a map is made
    "network": {"failure", "recipe"},
    "probability": {"failure", "recipe"},
    "inference": {"network", "probability", "recipe", "slide"},
    "engine": {
        *{"failure", "inference", "outcome", "probability", "process", "recipe", "slide"},
    },
    # what a person does with it
    "edits": {"window"},
    "tools": {"edits", "window"},
    "mask": {"cleanup", "edits", "window"},
    "journal": {"cleanup", "edits", "organ", "probability", "thresholds"},
    "project": {
        *{"cleanup", "edits", "journal", "organ", "outcome", "probability", "recipe"},
        *{"slide", "thresholds"},
    },
    "session": {
        *{"cleanup", "edits", "failure", "journal", "mask", "organ", "probability", "project"},
        *{"recipe", "slide", "thresholds", "tools"},
    },
    # what comes of it
    "formats.rle": set(),
    "formats": {
        "edits",
        "formats.annotated",
        "formats.coco_runs",
        "formats.cut",
        "formats.format",
        "formats.json_constants",
        "formats.json_stream",
        "formats.json_text",
        "formats.label_image",
        "formats.ome_zarr",
        "formats.outlines",
        "formats.pixel_runs",
        "formats.polygons",
        "formats.raster",
        "formats.registry",
        "formats.rle",
        "formats.staged_folder",
        "formats.stitched",
        "formats.table",
        "formats.uncollected",
        "formats.xml_text",
        "organ",
        "slide",
        "thresholds",
    },
    "export": {
        *{"failure", "formats", "journal", "organ", "outcome", "project", "session", "tools"},
    },
    "evaluation": {
        *{"", "cleanup", "edits", "formats.rle", "journal", "mask", "outcome", "probability"},
        *{"project", "slide", "thresholds"},
    },
    # inference: out-of-fold maps are made the way every map is made; project: labels come out of
    # projects, and one training at a time is on in a folder
    "training": {
        *{"formats", "inference", "journal", "mask", "network", "organ", "outcome"},
        *{"probability", "project", "recipe", "slide", "thresholds"},
    },
    "synthetic": {"formats.rle", "organ"},
    "cli": {""},
}
NO_NETWORKS = {
    *("session", "project", "edits", "tools", "thresholds", "probability", "formats", "journal"),
    *("mask", "evaluation", "cleanup", "export", "failure", "outcome", "process"),
}


@dataclass(frozen=True)
class Import:
    """One import statement: the dotted name it asks for, where it stands, and when it runs."""

    target: str
    line: int
    lazy: bool


@dataclass(frozen=True)
class Module:
    """One of our source files; read when a test asks, since every process of the suite collects."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def lines(self) -> int:
        return self.path.read_text(encoding="utf-8").count("\n")

    @property
    def short(self) -> str:
        return self.name.partition(".")[2]

    def imports(self) -> list[Import]:
        found: list[Import] = []
        self._collect(self.tree, False, found)
        return found

    def _collect(self, node: ast.AST, lazy: bool, found: list[Import]) -> None:
        for child in ast.iter_child_nodes(node):
            inner = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            found.extend(Import(name, child.lineno, lazy) for name in self._targets(child))
            self._collect(child, inner, found)

    def _targets(self, node: ast.AST) -> list[str]:
        match node:
            case ast.Import():
                return [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = self._base(node)
                return [_deepest(base, alias.name) for alias in node.names]
            case (
                ast.Call(func=ast.Name(id="import_module" | "__import__"))
                | ast.Call(func=ast.Attribute(attr="import_module" | "find_spec"))
            ):
                first = node.args[0] if node.args else None
                spelled = isinstance(first, ast.Constant) and isinstance(first.value, str)
                return [first.value] if spelled and "spec" not in ast.dump(node.func) else []
        return []

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        if self.path.name != "__init__.py":
            package = package[:-1]
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, *([node.module] if node.module else [])])


def _deepest(base: str, name: str) -> str:
    """`from hubseg import slide` asks for the module hubseg.slide, not for the package."""
    root, _, rest = base.partition(".")
    folder = ROOTS.get(root)
    if folder is None:
        return base
    inside = folder.joinpath(*rest.split(".")) if rest else folder
    is_module = (inside / f"{name}.py").is_file() or (inside / name).is_dir()
    return f"{base}.{name}" if is_module else base


def _modules() -> list[Module]:
    modules = []
    for root, folder in ROOTS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [root, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            modules.append(Module(name, path))
    return modules


MODULES = _modules()
OURS = [module for module in MODULES if module.name.split(".")[0] == "hubseg"]
WINDOW = [module for module in MODULES if module.name.split(".")[0] == "napari_hubseg"]
PANELS = [module for module in WINDOW if module.name.startswith("napari_hubseg.panels.")]


def each(modules: list[Module]) -> Callable[[Callable[[Module], None]], Callable[[], None]]:
    """One test a rule: it looks at every module and names each that breaks the rule."""

    def look_at_all(rule: Callable[[Module], None]) -> Callable[[], None]:
        def test() -> None:
            broken = {}
            for module in modules:
                try:
                    rule(module)
                except AssertionError as error:
                    broken[module.name] = str(error)
            assert not broken, "\n".join(f"{name}: {said}" for name, said in broken.items())

        test.__doc__ = rule.__doc__
        return test

    return look_at_all


def _package(short: str) -> str:
    return short.partition(".")[0]


def _within(target: str, module: str) -> bool:
    """Tell whether `target` is `module` or lies inside it; everything lies inside ""."""
    return not module or target == module or target.startswith(f"{module}.")


def _top(imported: Import) -> str:
    return imported.target.partition(".")[0]


# ---- imports run one way ----------------------------------------------------------------------


@each(OURS)
def test_a_core_module_imports_only_what_the_table_lets_it_know(module: Module) -> None:
    row = module.short if module.short in CORE else _package(module.short)
    assert row in CORE, f"{module.name}: say in CORE what it may import from ours"
    siblings = set() if row in {"", "formats"} else {row}
    known = CORE[row] | siblings
    wrong = [
        f"line {imported.line}: {imported.target}"
        for imported in module.imports()
        if imported.target.startswith("hubseg.")
        and not any(_within(imported.target.partition(".")[2], name) for name in known)
    ]
    assert not wrong, f"{module.name} may import {sorted(known)}"


@each(OURS)
def test_the_core_never_imports_qt_or_napari(module: Module) -> None:
    """The command line may start the window, lazily; nothing else knows that there is one."""
    may_start_window = _package(module.short) == "cli"
    wrong = [
        f"line {imported.line}: {imported.target}"
        for imported in module.imports()
        if _top(imported) in QT | {"napari", "npe2"}
        or (_top(imported) == "napari_hubseg" and not (may_start_window and imported.lazy))
    ]
    assert not wrong


@each([module for module in OURS if _package(module.short) in NO_NETWORKS])
def test_what_keeps_peoples_work_never_imports_torch_not_even_lazily(module: Module) -> None:
    assert not [imported for imported in module.imports() if _top(imported) in NETWORKS]


PARTS = [m for m in MODULES if m.name.startswith(("hubseg.session", "napari_hubseg."))]


@each([part for part in PARTS if part.short != "canvas.new_layers"])  # it guards one of napari's
def test_parts_know_each_other_by_public_names(module: Module) -> None:
    """What a part needs of another one, that one states."""
    reached = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and re.match("_[^_]", node.attr)
        and ast.unparse(node.value) not in ("self", "cls", "super()")
    ]
    assert not reached


HELD = [m for m in PARTS if m.name.startswith(("hubseg.session", "napari_hubseg.desk"))]


@each(HELD)
def test_session_and_desk_hold_their_parts(module: Module) -> None:
    """No mixins on one private namespace: nothing but signals is inherited from a part."""
    parts = {
        node.name
        for part in HELD
        for node in ast.walk(part.tree)
        if isinstance(node, ast.ClassDef) and not node.name.endswith("Signals")
    }
    inherited = [
        f"{node.name}({ast.unparse(base)})"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if ast.unparse(base) in parts
    ]
    assert not inherited


@each(OURS)
def test_only_the_project_knows_sql(module: Module) -> None:
    if _package(module.short) != "project":
        assert not [imported for imported in module.imports() if _top(imported) == "sqlite3"]


@each(WINDOW)
def test_the_window_never_imports_a_network(module: Module) -> None:
    networks = ("hubseg.network", "hubseg.inference", "hubseg.training")
    assert not [
        imported
        for imported in module.imports()
        if _top(imported) in NETWORKS or imported.target.startswith(networks)
    ]


@each(PANELS)
def test_a_panel_knows_qt_and_one_submodel(module: Module) -> None:
    asked = {imported.target for imported in module.imports()}
    assert not [name for name in asked if name.split(".")[0] in {"napari", "npe2", "sqlite3"}]
    assert "hubseg.session" not in asked
    others = [name for name in asked if name.startswith("napari_hubseg.panels.")]
    assert not [name for name in others if name != f"{module.name}_state"], "of its own alone"
    submodels = {name for name in asked if name.startswith("hubseg.")} - {"hubseg.organ"}
    assert len(submodels) <= 1, f"{module.name} sees {sorted(submodels)}"


@each(WINDOW)
def test_a_layer_is_never_found_by_its_name(module: Module) -> None:
    named = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "layers"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]
    assert not named


@pytest.mark.parametrize(
    ("look", "rooms", "arrows"),
    [(structure.whole, 26, 130), (partial(structure.inside, "napari_hubseg"), 16, 40)],
    ids=["hubseg", "napari_hubseg"],
)
def test_the_house_has_few_rooms_and_no_circle(
    look: Callable[[], structure.Plan], rooms: int, arrows: int
) -> None:
    """Rooms are what lies at a root's top; ``python tests/structure.py`` prints the figures."""
    plan = look()
    assert not plan.circles
    assert plan.rooms <= rooms
    assert plan.arrow_count <= arrows


def test_the_page_on_architecture_names_every_room_and_only_what_there_is() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = set(structure.whole().arrows) | set(structure.inside("napari_hubseg").arrows)
    named = set(re.findall(r"`([a-z_]+)(?:\.py)?`", page))
    called_by_napari = {
        "_commands",
        "_reader",
        "_sample_data",
        "_writer",
        "keys",
        "window_lifetime",
    }
    assert rooms - called_by_napari - {"napari_hubseg"} <= named
    files = re.findall(r"`((?:src/hubseg|napari_hubseg|tests|scripts|benchmarks)/[\w/.]+)`", page)
    assert files
    invented = ("NAME",)
    wrong = [name for name in files if not (REPOSITORY / name).exists()]
    assert not [name for name in wrong if not any(word in name for word in invented)]


# ---- files stay small, names say what they are ------------------------------------------------


@each(MODULES)
def test_a_file_holds_one_noun(module: Module) -> None:
    assert module.lines <= 350, f"{module.path.name} has {module.lines} lines: two things in one?"


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    return total - ((first.end_lineno or 0) - first.lineno + 1 if documented else 0)


# they put together, part by part, what is seen or held
LONGER = ("dock", "layout", "panels", "widgets", "demo", "session")


@each(MODULES)
def test_a_function_fits_on_a_screen(module: Module) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(module.tree) if isinstance(node, functions)]
    most = 60 if _package(module.short) in LONGER else 40
    assert not {node.name: lines for node in found if (lines := _body_lines(node)) > most}


@each(MODULES)
def test_names_are_nouns_of_the_field(module: Module) -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base"}
    assert not drawers & {part.strip("_") for part in module.name.split(".")}
    vague = ("Manager", "Helper", "Util", "Utils", "Handler")
    classes = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    assert not [name for name in classes if name.endswith(vague)]


@each(MODULES)
def test_every_module_says_what_it_is_responsible_for(module: Module) -> None:
    assert ast.get_docstring(module.tree)


@each(MODULES)
def test_refusals_explain(module: Module) -> None:
    """No assert on input, no except that swallows everything, no print outside the command line."""
    broad = {"Exception", "BaseException"}
    wrong = []
    for node in ast.walk(module.tree):
        match node:
            case ast.Assert():
                wrong.append(f"line {node.lineno}: assert")
            case ast.ExceptHandler(type=None):
                wrong.append(f"line {node.lineno}: bare except")
            case ast.ExceptHandler(type=ast.Name(id=name)) if name in broad:
                reraised = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                # one slide fails alone, whatever is raised: in this one place
                if not reraised and module.short != "outcome":
                    wrong.append(f"line {node.lineno}: except {name}")
            case ast.Call(func=ast.Name(id="print")) if not module.short.startswith("cli"):
                wrong.append(f"line {node.lineno}: print")
    assert not wrong


# ---- opening costs nothing --------------------------------------------------------------------

HEAVY = sorted(NETWORKS | {"pandas", "distributed"})
WINDOWS = ["napari", "qtpy", "PyQt5", "PyQt6", "PySide6"]
# What the first picture needs none of: a window is painted before it is imported.
LATER = ["dask.array", "scipy.ndimage", "scipy.sparse", "skimage.morphology", "higra", "matplotlib"]
LATER += ["zarr", "shapely", "onnxruntime", "openslide", "wsidicom", "pydicom"]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import hubseg", [*HEAVY, *WINDOWS, "numpy"]),
        ("import hubseg.session", [*HEAVY, *WINDOWS]),
        ("import hubseg.engine", [*HEAVY, *WINDOWS]),
        (
            "from hubseg.cli import main; main(['--help'])",
            [*HEAVY, *WINDOWS, "numpy", "pydantic", "yaml", "asyncio"],
        ),
        ("import napari_hubseg", [*HEAVY, *WINDOWS]),
        ("import napari_hubseg.dock", [*HEAVY, *LATER]),
        ("import napari_hubseg.demo.start", [*HEAVY, *LATER, "napari", "napari_hubseg.dock"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_in_a_fresh_process_nothing_heavy_is_imported(statement: str, absent: list[str]) -> None:
    program = (
        "import sys\n"
        f"try:\n    {statement}\nexcept SystemExit as ended:\n    assert not ended.code\n"
        f"print('loaded:', *(name for name in {absent!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]


# ---- the project stands on its own ------------------------------------------------------------


def test_nothing_points_outside_the_project() -> None:
    elsewhere = ["/" + "work/", "/" + "root/", "/" + "home/", ".." + "/shared", "." + "library"]
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of the project's files")
    wrong = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = REPOSITORY / name
        if not path.is_file() or b"\0" in (content := path.read_bytes())[:8192]:
            continue
        text = content.decode("utf-8", errors="replace")
        wrong += [f"{name}: {place}" for place in elsewhere if place in text]
    assert not wrong


@each(WINDOW)
def test_the_window_asks_nothing_private_of_napari(module: Module) -> None:
    """The canvas and the window are found as Qt's, from the dock (napari_hubseg.canvas.view)."""
    found = re.search(r"\._qt_(viewer|window)\b", module.path.read_text("utf-8"))
    assert found is None, f"{module.path.name} uses napari's private {found and found[0]}"


def test_no_test_reads_a_clock() -> None:
    """A busy machine is no failure: a test waits for what happens, or counts what is done."""
    clocks = re.compile(r"\b(monotonic|perf_counter|(process|thread)_time)(_ns)?\b|\btime\.time\(")
    files = [path for path in (REPOSITORY / "tests").rglob("*.py") if path != Path(__file__)]
    assert not [path.name for path in files if clocks.search(path.read_text("utf-8"))]
