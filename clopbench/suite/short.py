"""What people call settings elsewhere: a field without its section, or a common abbreviation of it."""

from collections.abc import Iterable

ABBREVIATIONS = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "batch": "batch_size",
    "wd": "weight_decay",
    "epoch": "epochs",
    "tau": "temperature",
    "temp": "temperature",
    "lambda": "weight",
    "dataset": "data.name",
    "labels": "label_fraction",
    "arch": "encoder.name",
    "optim": "optimizer",
}


def full_keys(word: str, keys: Iterable[str]) -> list[str]:
    """Of some keys 'section.field' those that a word may mean: 'lr' and 'learning_rate' are the same."""
    last = word.rpartition(".")[2]
    field = ABBREVIATIONS.get(last, last)
    return sorted(key for key in keys if field in (key, key.rpartition(".")[2]))
