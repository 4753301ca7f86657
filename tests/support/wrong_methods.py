"""Method files, right and wrong, and what `bench methods` says of each (None: it can be used)."""

HEAD = b'''"""A third party's method."""
from typing import Literal
import torch
from clopbench.contrastive import info_nce
from clopbench.method import Method, Positive
FOO = ("a", "b")
'''
CLASS = """
class Theirs(Method):
    {names}

    def __init__(self, dim: int, num_classes: int, *, {parameters}generator: torch.Generator):
        super().__init__()
        {build}

    def loss(self, batch):
        {loss}
"""
LOSS = 'return {"total": info_nce(batch.z_VBD, 0.2)}'
NAMES = 'name, version = "NAME", 1'
COMPUTED = "t: float = 1 / 2"
"""A default that only an import can tell."""


def method(
    parameters: str = "", names: str = NAMES, build: str = "pass", loss: str = LOSS, end: bytes = b""
) -> bytes:
    listed = f"{parameters}, " if parameters else ""
    return HEAD + CLASS.format(names=names, parameters=listed, build=build, loss=loss).encode() + end


def named(content: bytes, name: str) -> bytes:
    """A file's content for a method of this name."""
    return content.replace(b'"NAME"', f'"{name}"'.encode())


TAKEN = "this name is taken"
VERSION = "version must be a whole number from 1 on"
FILES: dict[str, tuple[bytes, str | None]] = {
    # Right.
    "good": (method("strength: Positive = 0.5"), None),
    "byte_order_mark": (b"\xef\xbb\xbf" + method(), None),
    "annotated_names": (method(names='name: str = "NAME"; version: int = 3'), None),
    "computed_version": (method(names='name = "NAME"\n    version = 1 + 1'), None),
    "choice_by_a_constant": (method('kind: Literal[FOO] = "a"'), None),
    "required": (method("t: float"), None),
    "class_with_a_second_name": (method(end=b"\nAlias = Theirs\n"), None),
    "prints": (method(COMPUTED, end=b"\nprint('hello')\n"), None),
    "warns": (method(end=b'\nX = "\\d"\n'), None),
    # The version.
    "no_version": (method(names='name = "NAME"'), f"{VERSION} (none is given)"),
    "text_version": (method(names='name, version = "NAME", "1"'), f"{VERSION} (got '1')"),
    "float_version": (method(names='name, version = "NAME", 1.7'), f"{VERSION} (got 1.7)"),
    "bool_version": (method(names='name, version = "NAME", True'), f"{VERSION} (got True)"),
    "zero_version": (method(names='name, version = "NAME", 0'), f"{VERSION} (got 0)"),
    "two_versions": (
        method(names=f"{NAMES}\n    if True:\n        version = 2"),
        "version is 1 in its text and 2 once imported",
    ),
    # Parameters.
    "unknown_choices": (method('kind: Literal[BAR] = "a"'), "NameError: name 'BAR' is not defined"),
    "no_choices": (method('kind: Literal[()] = "a"'), "'kind': Literal needs at least one value"),
    "no_choices_or_none": (method("kind: Literal[()] | None = None"), "'kind': its annotation"),
    "float_choices": (method("kind: Literal[1.5] = 1.5"), "'kind': Literal takes text, whole numbers"),
    "object_default": (method("thing=object()"), "'thing': its default is no plain value"),
    "object_for_a_float": (method("thing: float = object()"), "'thing': its default <object"),
    "default_of_another_type": (method('t: int = "many"'), "'t': its default 'many' is not int"),
    "default_out_of_range": (method("t: Positive = -1.0"), "'t': its default -1.0 is not float > 0"),
    "default_no_choice": (method('t: Literal["a"] = "b"'), "'t': its default 'b' is not one of a"),
    "default_nan": (method('t: float = float("nan")'), "'t': its default nan is not float"),
    "tensor": (method("t: torch.Tensor = None"), "'t': its annotation <class 'torch.Tensor'> is no kind"),
    "dump": (method("model_dump: float = 1.0"), f"'model_dump': {TAKEN}"),
    "fields": (method("model_fields: float = 1.0"), f"'model_fields': {TAKEN}"),
    "schema": (method("schema: float = 1.0"), f"'schema': {TAKEN}"),
    "copy": (method("copy: float = 1.0"), f"'copy': {TAKEN}"),
    "underscore": (method("_x: float = 1.0"), f"'_x': {TAKEN}"),
    "name": (method('name: str = "x"'), f"'name': {TAKEN}"),
    "version": (method("version: int = 1"), f"'version': {TAKEN}"),
    "positional": (method().replace(b"*, ", b"weight=1.0, *, "), "'weight' must stand after a *"),
    "no_generator": (method().replace(b"*, generator: torch.Generator", b"x=1"), "'x' must stand after a *"),
    # The file.
    "latin_1": (method(end="# é".encode("latin1")), "py:17: byte 440 (0xe9) is not UTF-8"),
    "latin_1_that_says_so": (
        b"# -*- coding: latin-1 -*-\n" + method(end="# é".encode("latin1")),
        "(0xe9) is not UTF-8",
    ),
    "null_byte": (method(end=b"\x00"), "null bytes"),
    "syntax": (b"def broken(:\n", "syntax.py:1: invalid syntax"),
    "empty": (b"", "expected one subclass of Method with name = 'empty', found 0"),
    "other_name": (method(names='name, version = "another", 1'), "found 0"),
    "brackets": (b"x = " + b"(" * 300 + b")" * 300, "brackets.py:1: too many nested parentheses"),
    "signs": (b"x = " + b"-" * 100_000 + b"1", "signs.py: is no Python"),
    # What it does.
    "exits": (method(end=b"\nimport sys; sys.exit()\n"), "cannot be imported: SystemExit"),
    "ends_the_process": (
        method(COMPUTED, end=b"\nimport os; os._exit(0)\n"),
        "ends the process that imports and builds it (status 0)",
    ),
    "crashes": (
        method(COMPUTED, end=b"\nimport os; os.kill(os.getpid(), 11)\n"),
        "(SIGSEGV)",
    ),
    "raises": (
        method(end=b'\nraise RuntimeError("no\\x1b[31m\\nlicence")\n'),
        r"RuntimeError: no\x1b[31m\nlicence",
    ),
    "raises_what_cannot_be_said": (
        method(end=b"\nclass E(Exception):\n    def __str__(self): raise ValueError\nraise E\n"),
        "cannot be imported: E: (its message cannot be read)",
    ),
    "recursion": (method(end=b"\ndef f(): f()\nf()\n"), "cannot be imported: RecursionError"),
    "constructor_raises": (
        method(build='raise RuntimeError("boom")'),
        "cannot be built with its defaults and dim=128, num_classes=10: RuntimeError: boom",
    ),
    "constructor_exits": (method(build="import sys; sys.exit(0)"), "num_classes=10: SystemExit: 0"),
    "no_loss": (method().split(b"    def loss")[0], "defines no loss()"),
    "unknown_views": (
        method(names=f'{NAMES}\n    views = ("simcrl",)'),
        "views: unknown augmentation 'simcrl'",
    ),
    "momentum": (
        method(names=f"{NAMES}\n    teacher_momentum = 1.5"),
        "teacher_momentum must be from 0 to below 1",
    ),
    "momentum_of_a_constructor": (
        method(build="super().__init__(); self.teacher_momentum = -0.5"),
        "teacher_momentum must be from 0 to below 1 (got -0.5)",
    ),
}

# What loss() returns, and what the failed cell says (None: it is trained).
TOTAL = "info_nce(batch.z_VBD, 0.2)"
LOSSES: dict[str, tuple[str, str | None]] = {
    "two_parts": (f'total = {TOTAL}\n        return {{"total": total, "part": total.detach()}}', None),
    "a_float": ("return 3.2", "it returned a value of type float"),
    "nothing": ("return None", "it returned None"),
    "a_tensor": (f"return {TOTAL}", "it returned a tensor of shape () and type torch.float32"),
    "a_tuple": (f"return ({TOTAL},)", "it returned a value of type tuple"),
    "no_total": (f'return {{"loss": {TOTAL}}}', "it returned loss"),
    "no_parts": ("return {}", "it returned an empty one"),
    "many_values": ('return {"total": batch.z_VBD.sum(-1)[0]}', "'total' is a tensor of shape (256,)"),
    "one_value": (f'return {{"total": {TOTAL}[None]}}', "'total' is a tensor of shape (1,)"),
    "detached": (f'return {{"total": {TOTAL}.detach()}}', "'total' has no gradient"),
    "number": ('return {"total": 3.0}', "'total' is a value of type float"),
    "part_a_number": (f'return {{"total": {TOTAL}, "part": 1.0}}', "'part' is a value of type float"),
    "whole_number": (
        'return {"total": torch.tensor(3)}',
        "'total' is a tensor of shape () and type torch.int64",
    ),
    "key_a_number": (f'return {{"total": {TOTAL}, 3: batch.z_VBD.sum()}}', "3 is no name"),
    "key_that_steers": (
        f'return {{"total": {TOTAL}, "a\\x1b[31m\\n": batch.z_VBD.sum()}}',
        r"'a\x1b[31m\n' is no name",
    ),
    "changing": (
        f"self.calls = getattr(self, 'calls', 0) + 1\n        total = {TOTAL}\n"
        '        return {"total": total} | ({"b": total.detach()} if self.calls == 2 else {})',
        "loss() must return the same names at each step; total became total, b",
    ),
}
