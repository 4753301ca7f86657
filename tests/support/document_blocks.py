"""What documents promise: their blocks of code, and the commands in those that are marked as such."""

import re
import shlex


def blocks(text: str, language: str) -> list[str]:
    """The contents of a document's fenced blocks of a language, which begin at the margin."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """Words of every `bench` command, without comments; `uv run` is this environment."""
    lines = [line for block in blocks(text, "bash") for line in block.splitlines()]
    found = [line.partition("#")[0].rpartition("uv run ")[2].strip() for line in lines]
    return [shlex.split(line)[1:] for line in found if line.startswith("bench")]
