"""One table from three sources: built-ins, entry points of installed packages, decorators."""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sc_annotate import tl
from sc_annotate._core import registry
from sc_annotate._core.methods import BUILT_IN, PREDICTORS
from sc_annotate._core.registry import ENTRY_POINT_GROUPS, Method
from sc_annotate.annotators import Annotator
from sc_annotate.errors import MethodError, MissingExtraError
from sc_annotate.predictors import Predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODULE = """
from dataclasses import dataclass

@dataclass
class Thing:
    size: int = 3

class Outer:
    class Inner: ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a throwaway distribution: a .dist-info folder and a module on sys.path."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(distribution: str, points: str, module: str | None = None, source: str = MODULE) -> None:
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(textwrap.dedent(points))
        if module is not None:
            (tmp_path / f"{module}.py").write_text(source)
        importlib.invalidate_caches()

    return add


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    registered, modules = dict(registry._registered), set(sys.modules)
    yield
    registry._registered.clear()
    registry._registered.update(registered)
    for name in set(sys.modules) - modules:
        if name.startswith("sca_throwaway"):
            del sys.modules[name]


# ---- built-ins


def test_built_ins_are_listed_in_order_with_logreg_first():
    table = registry.table("annotation")
    assert list(table)[: len(BUILT_IN)] == [m.name for m in BUILT_IN]
    assert next(iter(table)) == "logreg"
    assert all(m.source == "sc_annotate" and m.summary for m in BUILT_IN)


@pytest.mark.parametrize("cls", [Annotator, Predictor])
def test_help_shows_what_can_be_declared(cls: type[Any]):
    described = inspect.cleandoc(str(cls.__doc__)).partition("Attributes\n")[2].partition("Examples\n")[0]
    declared = {name for name in registry._DECLARED if hasattr(cls, name)}
    assert {"inputs", "deterministic"} <= declared
    for name in declared | {"registry_record"}:
        assert f"\n{name} : " in described


def test_every_name_is_there_once():
    assert len({(m.task, m.name) for m in BUILT_IN}) == len(BUILT_IN)


@pytest.mark.parametrize("method", [*BUILT_IN, *PREDICTORS], ids=lambda m: f"{m.task}-{m.name}")
def test_built_ins_have_an_example_in_their_docstring(method: Method):
    assert "Examples\n" in (doc := registry.load(method).__doc__ or "")
    assert ">>> " in doc


@pytest.mark.parametrize("method", BUILT_IN, ids=lambda m: m.name)
def test_built_ins_import(method: Method):
    assert registry.load(method).__name__ == method.target.partition(":")[2]


# ---- asking by name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("logregg", "Did you mean 'logreg'"),
        ("LogReg", "Did you mean 'logreg'"),
        ("linear-svm", "Did you mean 'linear_svm'"),
        ("forest", "'random_forest'"),
        ("zzz", "no annotation method 'zzz'. There are: logreg, "),
        ("mine", r"\. If it was registered by a decorator, run that code first\.$"),
        ("", "There are"),
    ],
)
def test_unknown_names_get_the_near_ones(name: str, near: str):
    with pytest.raises(MethodError, match=near):
        registry.get("annotation", name)


@pytest.mark.parametrize("name", [None, 3, ["logreg"], object])
def test_a_method_is_named_by_text(name: Any):
    with pytest.raises(MethodError, match="must be a name such as 'logreg', not "):
        registry.get("annotation", name)


def test_tasks_are_apart():
    assert "logreg" in registry.table("annotation")
    assert "logreg" not in registry.table("perturbation")
    with pytest.raises(MethodError, match="no encoding method"):
        registry.get("encoding", "logreg")


# ---- making one


def test_make():
    assert registry.make("annotation", "logreg") == registry.make("annotation", "logreg", {})
    assert registry.make("annotation", "knn", {"n_neighbors": 3}).n_neighbors == 3


@pytest.mark.parametrize("params", [{"no_such": 1}, ["C"]])
def test_make_refuses_what_the_method_does_not_take(params: Any):
    with pytest.raises(MethodError, match=r"'knn' refuses method_kwargs=.*It takes: n_neighbors"):
        registry.make("annotation", "knn", params)


def test_make_of_other_classes():
    @registry.register("annotation", "plain")
    class Plain:
        def __init__(self, a: int) -> None: ...

    @registry.register("annotation", "bare")
    @dataclass
    class Bare: ...

    with pytest.raises(MethodError, match="missing 1 required") as caught:
        registry.make("annotation", "plain")
    assert "It takes" not in str(caught.value)
    with pytest.raises(MethodError, match="It takes: none"):
        registry.make("annotation", "bare", {"a": 1})


def test_load_says_what_to_install():
    absent = Method("deep", "annotation", "sca_no_such_module:Deep", "", extra="other")
    with pytest.raises(MissingExtraError, match=r'pip install "sc-annotate\[other\]"'):
        registry.load(absent)
    with pytest.raises(MissingExtraError, match="'sca_no_such_module', which it needs, is missing.*--upgrade other"):
        registry.load(Method("deep", "annotation", "sca_no_such_module:Deep", "", source="other"))
    with pytest.raises(MissingExtraError, match=r'pip install "other\[torch\]"'):
        registry.load(Method("deep", "annotation", "sca_no_such_module:Deep", "", source="other", extra="torch"))
    with pytest.raises(MissingExtraError, match='Run: pip install "decoupler>=2"'):
        registry.load(Method("deep", "annotation", "sca_no_such_module:Deep", "", extra="markers"))


@pytest.mark.parametrize("target", ["sc_annotate.errors:NoSuch", "sc_annotate.errors", "sc_annotate.errors:"])
def test_load_of_a_class_that_is_not_there(target: str):
    with pytest.raises(MethodError, match="does not exist"):
        registry.load(Method("odd", "annotation", target, ""))


# ---- entry points


@pytest.mark.parametrize("task", ENTRY_POINT_GROUPS)
def test_an_installed_package_adds_a_method(task: Any, install: Callable[..., None]):
    install("sca-throwaway", f"[{ENTRY_POINT_GROUPS[task]}]\nthrown = sca_throwaway_a:Thing\n", "sca_throwaway_a")
    method = registry.table(task)["thrown"]
    assert method == Method(
        "thrown",
        task,
        "sca_throwaway_a:Thing",
        "from the package sca-throwaway",
        inputs="profiles" if task == "perturbation" else "log",
        saves=task != "perturbation",
        source="sca-throwaway",
    )
    # Listing the table imports nothing.
    assert "sca_throwaway_a" not in sys.modules
    assert registry.make(task, "thrown", {"size": 5}).size == 5
    assert "sca_throwaway_a" in sys.modules
    for other in set(ENTRY_POINT_GROUPS) - {task}:
        assert "thrown" not in registry.table(other)


def test_entry_points_with_extras_and_nested_classes(install: Callable[..., None]):
    install(
        "sca-throwaway",
        """
        [sc_annotate.annotators]
        extra = sca_throwaway_b:Thing [deep]
        nested = sca_throwaway_b:Outer.Inner
        """,
        "sca_throwaway_b",
    )
    assert registry.load(registry.get("annotation", "extra")).__name__ == "Thing"
    assert registry.load(registry.get("annotation", "nested")).__qualname__ == "Outer.Inner"


def test_an_entry_point_says_more_of_itself_in_its_class(install: Callable[..., None]):
    body = """
    class Thing:
        registry_record = {"inputs": "counts", "saves": False, "summary": "Thrown away"}

    class Odd:
        registry_record = {"colour": "red"}
    """
    points = "[sc_annotate.annotators]\ntold = sca_throwaway_g:Thing\nodd = sca_throwaway_g:Odd\n"
    install("sca-throwaway", points, "sca_throwaway_g", textwrap.dedent(body))
    method = registry.get("annotation", "told")
    assert (method.inputs, method.saves, method.summary) == ("counts", False, "Thrown away")
    with pytest.raises(MethodError, match="'odd' of 'sca-throwaway': registry_record of Odd"):
        registry.get("annotation", "odd")


def test_an_entry_point_whose_needs_are_absent(install: Callable[..., None]):
    points = "[sc_annotate.annotators]\nneedy = sca_throwaway_c:Thing\nlost = sca_throwaway_nowhere:Thing\n"
    install("sca-throwaway", points, "sca_throwaway_c", "import sca_not_installed_at_all")
    for name in ("needy", "lost"):
        with pytest.raises(MissingExtraError, match="pip install --upgrade sca-throwaway"):
            registry.make("annotation", name)
    assert registry.make("annotation", "majority") is not None


def test_the_table_for_users_has_what_the_class_declares(install: Callable[..., None]):
    body = """
    from dataclasses import dataclass, field

    @dataclass
    class Thing:
        \"\"\"Thrown.\"\"\"

        inputs = "counts"
        size: int = 3
        names: list = field(default_factory=list)

    class Plain:
        def __init__(self, depth, width=2, **more): ...
    """
    points = """
    [sc_annotate.annotators]
    thing = sca_throwaway_h:Thing
    plain = sca_throwaway_h:Plain
    lost = sca_throwaway_nowhere:Thing
    odd = sca_throwaway_i:Thing
    """
    install("sca-throwaway", points, "sca_throwaway_h", textwrap.dedent(body))
    install("sca-throwaway-odd", "", "sca_throwaway_i", "raise RuntimeError('no such device')")
    found = tl.methods()
    assert found.loc["thing", ["summary", "parameters", "inputs", "saves"]].tolist() == [
        "Thrown.",
        "size=3, names=[]",
        "counts",
        False,
    ]
    assert found.loc["plain", "parameters"] == "depth, width=2"
    for name in ("lost", "odd"):
        assert found.loc[name, "summary"] == "from the package sca-throwaway, which cannot be imported"
        assert not isinstance(found.loc[name, "parameters"], str)


def test_two_packages_with_one_name(install: Callable[..., None]):
    for i in (1, 2):
        install(f"sca-throwaway-{i}", "[sc_annotate.annotators]\nsame = sca_throwaway_d:Thing\n", "sca_throwaway_d")
    with pytest.raises(MethodError, match=r"sca-throwaway-\d' and 'sca-throwaway-\d', both register a method 'same'"):
        registry.table("annotation")
    # Every look-up says so, also one of another method.
    with pytest.raises(MethodError, match="both register"):
        registry.get("annotation", "logreg")
    assert registry.table("encoding") is not None


def test_a_package_with_the_name_of_a_built_in(install: Callable[..., None]):
    install("sca-throwaway", "[sc_annotate.annotators]\nlogreg = sca_throwaway_e:Thing\n", "sca_throwaway_e")
    with pytest.raises(MethodError, match="'logreg'.* from 'sc_annotate' and again from 'sca-throwaway'"):
        registry.table("annotation")


def test_a_package_and_a_decorator_with_one_name(install: Callable[..., None]):
    install("sca-throwaway", "[sc_annotate.annotators]\nmine = sca_throwaway_f:Thing\n", "sca_throwaway_f")
    with pytest.raises(MethodError, match="exists already, from 'sca-throwaway'"):
        registry.register("annotation", "mine")(type("Mine", (), {}))


def test_a_package_that_comes_after_the_decorator(install: Callable[..., None]):
    registry.register("annotation", "mine")(type("Mine", (), {}))
    install("sca-throwaway", "[sc_annotate.annotators]\nmine = sca_throwaway_g:Thing\n", "sca_throwaway_g")
    with pytest.raises(MethodError, match="comes from 'sca-throwaway' and again from 'this session'"):
        registry.table("annotation")


# ---- decorators


def test_register_and_forget():
    @registry.register("annotation", "mine", reference="10.1/x", saves=False, inputs="counts")
    class Mine:
        """Does little.

        And at length.
        """

    method = registry.get("annotation", "mine")
    assert (method.summary, method.reference, method.saves, method.inputs) == (
        "Does little.",
        "10.1/x",
        False,
        "counts",
    )
    assert method.source == "this session"
    assert registry.load(method) is Mine
    registry.unregister("annotation", "mine")
    registry.unregister("annotation", "mine")
    assert "mine" not in registry.table("annotation")


def test_registering_again_replaces():
    first, second = type("First", (), {}), type("Second", (), {})
    decorate = registry.register("annotation", "mine", summary="Said once")
    assert decorate(first) is first
    decorate(second)
    assert registry.load(registry.get("annotation", "mine")) is second
    assert registry.get("annotation", "mine").summary == "Said once"


def test_one_name_for_two_tasks():
    for task in ENTRY_POINT_GROUPS:
        registry.register(task, "mine")(type(task, (), {}))
    for task in ENTRY_POINT_GROUPS:
        assert registry.load(registry.get(task, "mine")).__name__ == task


def test_a_class_without_a_docstring():
    registry.register("annotation", "mine")(type("Mine", (), {}))
    assert registry.get("annotation", "mine").summary == ""


@pytest.mark.parametrize("field", ["sumary", "source", "target"])
def test_register_refuses_unknown_fields(field: str):
    with pytest.raises(MethodError, match=rf"has no field {field}; there are: extra, inputs, kind"):
        registry.register("annotation", "mine", **{field: "x"})


@pytest.mark.parametrize("record", [{"kind": "x"}, {"inputs": "raw"}])
def test_register_refuses_unknown_values(record: dict[str, Any]):
    (field,) = record
    with pytest.raises(MethodError, match=f"the method 'mine': {field} must be one of '"):
        registry.register("annotation", "mine", **record)
    with pytest.raises(MethodError, match=f"registry_record of Mine: {field} must be one of '"):
        registry.register("annotation", "mine")(type("Mine", (), {"registry_record": record}))


@pytest.mark.parametrize("name", ["", 3, type("Mine", (), {})])
def test_register_needs_a_name(name: Any):
    with pytest.raises(MethodError, match="registered under a name"):
        registry.register("annotation", name)


def test_register_refuses_the_name_of_a_built_in():
    with pytest.raises(MethodError, match="'logreg' .annotation. exists already, from 'sc_annotate'"):
        registry.register("annotation", "logreg")(type("Mine", (), {}))
