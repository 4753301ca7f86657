"""Finding and reading methods: files, folders, entry points, and what is wrong with them."""

import subprocess
import sys
import textwrap

import pytest
from checkout import ROOT

from clopbench.errors import UserError
from clopbench.suite import signatures
from clopbench.suite.plugins import Plugins

READABLE = '''
"""A third party's method."""
from typing import Literal
import torch
from clopbench.contrastive import info_nce
from clopbench.method import Method, Positive

class Theirs(Method):
    name, version = "{name}", 3

    def __init__(self, dim: int, num_classes: int, *, strength: Positive = 0.5, rounds: int = 2,
                 kind: Literal["a", "b"] = "a", limit: float | None = None, generator: torch.Generator):
        super().__init__()

    def loss(self, batch):
        return {{"total": info_nce(batch.z_VBD, 0.2)}}
'''

COMPUTED = READABLE.replace("strength: Positive = 0.5", "strength: Positive = 1 / 4")


def write(folder, name, text):
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(text).format(name=name))
    return path


def test_signature_is_read_without_importing(tmp_path):
    write(tmp_path, "theirs", READABLE + "\nraise RuntimeError('imported')\n")
    plugin = Plugins([tmp_path]).get("theirs")
    assert plugin.signature.version == 3
    assert plugin.signature.summary == "A third party's method."
    assert plugin.resolve({"strength": 1}) == {"strength": 1.0, "rounds": 2, "kind": "a", "limit": None}
    assert plugin.listing()["kind"]["type"] == "one of a, b"
    assert plugin.listing()["strength"]["type"] == "float > 0"


def test_signature_that_cannot_be_read_is_imported(tmp_path):
    write(tmp_path, "computed", COMPUTED)
    plugin = Plugins([tmp_path]).get("computed")
    assert plugin.resolve({}) == {"strength": 0.25, "rounds": 2, "kind": "a", "limit": None}
    with pytest.raises(UserError, match=r"method\.strength: input should be greater than 0"):
        plugin.resolve({"strength": -1.0})


def test_reading_and_importing_agree_for_all_shipped_methods():
    plugins = Plugins([ROOT / "methods"])
    for name in plugins.names():
        plugin = plugins.get(name)
        read = signatures.of_file(plugin.path, name)
        assert read is not None, f"{name} needs an import to be planned"
        assert read == signatures.of_class(plugin.load(), plugin.path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strenght": 1.0}, "method.strenght: unknown field; did you mean 'strength'"),
        ({"strength": 0.0}, "method.strength: input should be greater than 0 (got 0.0)"),
        ({"strength": "much"}, "method.strength: input should be a valid number (got 'much')"),
        ({"rounds": 1.5}, "method.rounds: input should be a valid integer"),
        ({"rounds": True}, "method.rounds: input should be a valid integer"),
        ({"kind": "c"}, "method.kind: input should be 'a' or 'b' (got 'c')"),
    ],
)
def test_parameters_are_checked(tmp_path, given, message):
    write(tmp_path, "theirs", READABLE)
    with pytest.raises(UserError) as error:
        Plugins([tmp_path]).get("theirs").resolve(given)
    assert str(error.value).startswith(message)


def test_a_file_that_raises_is_named_and_the_others_work(tmp_path):
    write(tmp_path, "good", READABLE)
    write(tmp_path, "bad", READABLE + "\nimport no_such_package\n")
    write(tmp_path, "worse", "def broken(:\n")
    plugins = Plugins([tmp_path])
    assert plugins.names() == ["bad", "good", "worse"]
    assert plugins.get("good").load().name == "good"
    with pytest.raises(UserError, match=r"bad\.py cannot be imported: ModuleNotFoundError: No module named"):
        plugins.get("bad").load()
    with pytest.raises(UserError, match=r"worse\.py:1: invalid syntax"):
        _ = plugins.get("worse").signature


def test_a_file_without_its_method_is_refused(tmp_path):
    write(tmp_path, "other", READABLE.replace('"{name}"', '"another"'))
    with pytest.raises(UserError, match=r"expected one subclass of Method with name = 'other', found 0"):
        Plugins([tmp_path]).get("other").load()


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "same", READABLE)
    write(tmp_path / "one", "other", READABLE)
    plugins = Plugins([tmp_path / "one", tmp_path / "two"])
    assert plugins.get("other").signature.version == 3
    for ask in (plugins.get("same").load, lambda: plugins.get("same").signature):
        with pytest.raises(UserError, match="method 'same' is defined twice"):
            ask()


def test_an_entry_point_without_its_module_spoils_only_itself(tmp_path, monkeypatch):
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[clopbench.methods]\ngone = no_such_module:X\nworse = raising.inner:X\n"
    )
    (tmp_path / "raising").mkdir()
    (tmp_path / "raising" / "__init__.py").write_text("raise SystemExit('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, "good", READABLE)
    plugins = Plugins([tmp_path])
    assert plugins.names() == ["gone", "good", "worse"]
    assert plugins.get("good").signature.version == 3
    for name, why in (("gone", "no module no_such_module"), ("worse", "SystemExit: no")):
        with pytest.raises(UserError, match=f"entry point {name} of clopbench.methods: {why}"):
            plugins.get(name).load()


def test_methods_of_installed_packages_are_found(tmp_path, environment):
    """A real distribution on the path: metadata with an entry point, and the module it names."""
    write(tmp_path, "packaged", READABLE)
    metadata = tmp_path / "their_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[clopbench.methods]\npackaged = packaged:Theirs\n")
    script = (
        "from clopbench.suite.plugins import Plugins\n"
        "p = Plugins([]); print(p.names(), p.get('packaged').load())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("['packaged'] <class 'packaged.Theirs'>")


ADDED = READABLE.replace("3\n", '3\n    added = ("kind", "limit")\n', 1)
DOUBTFUL = ADDED.replace('added = ("kind", "limit")', 'added = tuple(["kind", "limit"])')


@pytest.mark.parametrize("text", [ADDED, DOUBTFUL], ids=["read", "imported"])
def test_a_parameter_that_was_added_is_left_out_at_its_default(tmp_path, text):
    """So that cells from before it keep their ids; whoever sets it has another cell."""
    write(tmp_path, "theirs", text)
    plugin = Plugins([tmp_path]).get("theirs")
    assert plugin.resolve({}) == plugin.resolve({"kind": "a"}) == {"strength": 0.5, "rounds": 2}
    assert plugin.resolve({"kind": "b"}) == {"strength": 0.5, "rounds": 2, "kind": "b"}
    assert plugin.check({"limit": 1.0})[0] == {"strength": 0.5, "rounds": 2, "limit": 1.0}


@pytest.mark.parametrize("added", ['("strenght",)', '"kind"', '("needed",)', "(1,)"])
def test_added_names_parameters_with_defaults(tmp_path, added):
    text = ADDED.replace('("kind", "limit")', added).replace("*, strength", "*, needed: int, strength")
    write(tmp_path, "theirs", text)
    with pytest.raises(UserError, match="added must be a tuple of parameters that have a default"):
        Plugins([tmp_path]).get("theirs").resolve({"needed": 1})
