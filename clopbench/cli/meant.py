"""What is probably meant by an option that does not exist: the right words for it."""

MEANT = {
    "--seed": "--seeds takes a count (3: seeds 0 to 2), a range (3-3: seed 3 alone) or a list (0,3)",
    "--table": "tables are named without an option: bench run table7",
    "--benchmark": "tables are named without an option: bench run table7",
    "--jobs": "cells at once: --workers N",
    "--gpu": "GPUs are taken with --device cuda, or at once where there are any",
    "--gpus": "GPUs are taken with --device cuda, or at once where there are any",
    "--output": "records go to --results DIR",
}


def words(option: str) -> str:
    """'; …' for an option that was tried in vain, else nothing."""
    from clopbench.suite.settings import MODELS
    from clopbench.suite.short import full_keys

    if hint := MEANT.get(option):
        return f"; {hint}"
    known = [f"{section}.{field}" for section, model in MODELS.items() for field in model.model_fields]
    keys = full_keys(option.lstrip("-").replace("-", "_"), known)
    return f"; settings are words without dashes: {keys[0]}=VALUE" if keys else ""
