"""The promises of the layout, read from the syntax tree: who may import whom, and what runs."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import typer

from landslide_core.cli import HOMES, application

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "landslide_core").rglob("*.py"))
PAGES = [*sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]

# Later ones may import earlier ones. A name stands for a module or a whole package.
LAYERS = (
    *("errors", "progress", "hashes", "threads", "devices", "bands", "places", "opening", "grid"),
    *("resample", "pixels", "shards", "clouds", "speckle", "scene", "readers"),
    *("preprocess", "features", "tiles", "manifest", "drift", "judgement"),
    *("combinations", "voices", "prefilter", "moments", "network", "ensemble", "calibration"),
    *("backend_graph", "backend_engines", "backends", "rounds", "learnt", "explanation"),
    *("bundle", "panel", "detect", "slope", "contract", "qgis", "outputs"),
    *("parts", "pace", "engine", "plan", "lock", "catalogue", "folder", "runs", "estimate"),
    *("queue_file", "jobs", "job_log", "launch", "worker"),
    *("export", "explain", "attribution", "neighbours", "threshold", "review", "render", "doctor"),
    *("layers", "fresh", "levels", "looks"),
    *("vectors", "stac_item", "report", "deliver"),
    *("terrain", "cover", "scars", "sensing", "simulate"),
    *("training", "terminal", "cli_scene", "cli_detect", "cli_score", "cli_training", "cli_runs"),
    *("cli_jobs", "cli_review", "cli_deliver", "cli_search", "cli_look", "cli_estimate"),
    *("cli_sample", "cli_doctor", "cli", "__main__"),
)
# Of pages/parts; the modules beside these rooms are shared by all, but for the routes, which know
# them.
ROOMS = (*("maps", "model", "look", "review", "why", "run", "upload", "scene", "tour", "find"),)
# What may be called while a module is imported: values and declarations, nothing that acts.
DECLARATIVE = {
    *("Path", "dataclass", "dict.fromkeys", "enumerate", "frozenset", "len", "lru_cache"),
    *("date", "field", "str", "timedelta", "TypeVar"),
    *("combinations", "product", "range", "re.compile", "slice", "tuple", "zip"),
    *("np.array", "torch.inference_mode", "torch.no_grad", "torch.tensor"),
    *(
        "Console",
        "app.callback",
        "app.command",
        "jobs_app.command",
        "review_app.command",
        "runs_app.command",
        "typer.Argument",
        "typer.Option",
        "typer.Typer",
    ),
}
METHODS = {"endswith", "join", "values", "items", "upper"}  # of strings and mappings


def name_of(path: Path) -> str:
    """Dotted name of a module below the repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text()) for path in [*CORE, *PAGES]}


def imports_of(module: str) -> set[str]:
    """Modules of this repository that a module imports, anywhere in it."""
    found = set()
    is_package = (ROOT / module.replace(".", "/") / "__init__.py").is_file()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                above = parents[: len(parents) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            inside = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name for name in inside if name in MODULES} or {base}
    return found


def layer_of(module: str) -> int:
    """Rank of a core module."""
    return LAYERS.index(module.split(".")[1])


def statements(tree: ast.Module | ast.ClassDef) -> Iterator[ast.stmt]:
    """What runs on import: a body's statements and those of its classes."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.ClassDef):
            yield from statements(node)


def on_import(node: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that are evaluated on import."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases]
    return [node]


def test_every_core_module_has_its_place_in_the_order():
    known = {name.split(".")[1] for name in MODULES if name.startswith("landslide_core.")}
    assert known == set(LAYERS)


@pytest.mark.parametrize("module", [name for name in MODULES if "landslide_core." in name])
def test_imports_of_the_core_go_one_way(module):
    for imported in imports_of(module):
        if imported.startswith("landslide_core."):
            same_package = module.count(".") > 1 and imported.split(".")[1] == module.split(".")[1]
            assert layer_of(imported) < layer_of(module) or same_package, imported
        assert not imported.startswith(("pages", "app")), imported


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("pages.parts.")])
def test_rooms_of_the_pages_import_one_way(module):
    room = module.split(".")[2]
    for imported in imports_of(module):
        if not imported.startswith("pages."):
            continue
        place = imported.split(".")
        assert place[1] == "parts", f"{imported}: a page"
        if len(place) > 2 and place[2] in ROOMS and module != "pages.parts.routes":
            assert room in ROOMS, f"{imported}: what all share imports a room"
            assert ROOMS.index(place[2]) <= ROOMS.index(room), imported


def test_every_room_of_the_pages_has_its_place():
    assert {path.parent.name for path in (ROOT / "pages" / "parts").glob("*/*.py")} == set(ROOMS)


def test_no_module_imports_itself_round_a_corner():
    TopologicalSorter({name: imports_of(name) & set(MODULES) for name in MODULES}).prepare()


def test_the_core_never_imports_streamlit_or_a_map():
    for name in MODULES:
        if name.startswith("landslide_core"):
            roots = {imported.split(".")[0] for imported in imports_of(name)}
            assert not roots & {"streamlit", "streamlit_folium", "folium", "plotly"}, name


def reached(start: str) -> set[str]:
    """All that importing a module imports, directly or not, as far as it is this repository's."""
    todo, seen = [start], set()
    while todo:
        for node in MODULES[todo.pop()].body:  # not what functions import when they are called
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                base = getattr(node, "module", None)
                found = {f"{base}.{name}" for name in names} | {base} if base else set(names)
                todo += [name for name in found - seen if name in MODULES]
                seen |= found
    return seen


@pytest.mark.parametrize(
    "module",
    ["app", *(name for name in MODULES if name.startswith("pages."))]
    + [f"landslide_core.cli_{name}" for name in ("runs", "jobs", "review", "look", "estimate")],
)
def test_pages_and_small_commands_begin_without_what_takes_seconds(module):
    heavy = {"torch", "xgboost", "onnxruntime", "sklearn", "matplotlib", "optuna", "codecarbon"}
    assert not {name.split(".")[0] for name in reached(module)} & heavy


def test_every_command_is_found_where_the_command_line_looks_for_it():
    commands = typer.main.get_command(application()).commands
    assert set(commands) == set(HOMES)
    for name, command in commands.items():
        assert (command.callback or next(iter(command.commands.values())).callback).__module__ == (
            f"landslide_core.{HOMES[name]}"
        ), name


def test_nothing_that_ships_imports_the_benchmarks():
    for name in MODULES:
        assert not any(found.startswith("benchmarks") for found in imports_of(name)), name


def test_pages_never_import_the_command_line():
    for name in MODULES:
        if not name.startswith("landslide_core"):
            assert "landslide_core.cli" not in imports_of(name), name


@pytest.mark.parametrize("module", [name for name in MODULES if "landslide_core" in name])
def test_importing_the_core_never_acts(module):
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for node in statements(MODULES[module]):
        if isinstance(node, ast.If):
            test = ast.unparse(node.test)
            assert test in ("__name__ == '__main__'", "TYPE_CHECKING"), test
            continue
        if ast.unparse(node).startswith("app.add_typer("):  # declares commands
            continue
        if isinstance(node, ast.Expr):  # a docstring, or a call thrown away: that acts
            assert isinstance(node.value, ast.Constant), ast.unparse(node)
            continue
        assert isinstance(node, allowed), ast.unparse(node)
        for part in on_import(node):
            for call in (n for n in ast.walk(part) if isinstance(n, ast.Call)):
                called = ast.unparse(call.func)
                method = isinstance(call.func, ast.Attribute) and call.func.attr in METHODS
                known = called in DECLARATIVE or called in local_classes(module)
                assert known or method, f"{called} at import"


def local_classes(module: str) -> set[str]:
    """Classes a module defines: making one of them is a value."""
    return {node.name for node in MODULES[module].body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("path", [*CORE, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_named_for_what_they_do(path):
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in ("utils", "util", "helpers", "common", "misc")


def test_modules_say_what_they_are_for():
    silent = [name for name, tree in MODULES.items() if not ast.get_docstring(tree)]
    assert silent == []


def test_torchvision_is_no_dependency():
    texts = [*ROOT.glob("*.txt"), *ROOT.glob("*.toml")]
    assert len(texts) >= 3
    assert [path.name for path in texts if "torchvision" in path.read_text().lower()] == []
    assert not [name for name in MODULES if any("torchvision" in i for i in imports_of(name))]


def test_nothing_is_unpickled():
    """Weights come from safetensors; NumPy refuses pickles unless it is told otherwise."""
    for name, tree in MODULES.items():
        assert not imports_of(name) & {"pickle", "joblib", "cloudpickle", "dill", "shelve"}, name
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            assert ast.unparse(call.func) not in ("torch.load", "pd.read_pickle"), name
            told = {k.arg: ast.unparse(k.value) for k in call.keywords}
            assert told.get("allow_pickle", "False") == "False", name
