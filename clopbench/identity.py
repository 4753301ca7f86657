"""When two configurations are the same: canonical JSON and its hash, and nested settings by dotted key."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ID_DIGITS = 16


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, no NaN: the same text for the same content."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def identity(canonical: Mapping[str, Any]) -> str:
    """The id of a cell with this canonical form."""
    return digest(canonical)[:ID_DIGITS]


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as {'training.epochs': 30, …}; method parameters appear as 'method.weight'."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, prefix if key == "parameters" else f"{name}.")
        else:
            flat[name] = value
    return flat
