"""Discord's error body for a form that exceeds its limits, made of what the validation found.

A tree by property and index with `_errors` at its leaves, whose codes are names. The versions before 8 had flat ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

INVALID_FORM = 50035

Fault = tuple[tuple[str | int, ...], str, str]
"""Where, Discord's name of the fault, its words."""

_REQUIRED = ("BASE_TYPE_REQUIRED", "This field is required")
_TOO_LONG = ("BASE_TYPE_MAX_LENGTH", "Must be {max_length} or fewer in length.")
_NO_TIME = ("DATE_TIME_TYPE_PARSE", "Could not parse {input}. Should be ISO8601.")
_NO_OBJECT = ("DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
_NO_NUMBER = ("NUMBER_TYPE_COERCE", 'Value "{input}" is not int.')
_UNKNOWN = ("BASE_TYPE_BAD_TYPE", "Value could not be interpreted.")
_WORDS = {
    "missing": _REQUIRED,
    "string_too_short": _REQUIRED,
    "string_too_long": _TOO_LONG,
    "too_long": _TOO_LONG,
    "greater_than_equal": ("NUMBER_TYPE_MIN", "int value should be greater than or equal to {ge}."),
    "less_than_equal": ("NUMBER_TYPE_MAX", "int value should be less than or equal to {le}."),
    "literal_error": ("BASE_TYPE_CHOICES", "Value must be one of {expected}."),
    "url": ("URL_TYPE_INVALID_URL", "Not a well formed URL."),
    "datetime_parsing": _NO_TIME,
    "datetime_from_date_parsing": _NO_TIME,
    "datetime_type": _NO_TIME,
    "list_type": ("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"),
    "model_type": _NO_OBJECT,
    "model_attributes_type": _NO_OBJECT,
    "int_type": _NO_NUMBER,
    "int_parsing": _NO_NUMBER,
    "int_from_float": _NO_NUMBER,
}


def word_fault(fault: Mapping[str, Any]) -> tuple[str, str]:
    """Discord's name and words for one of pydantic's faults."""
    name, words = _WORDS.get(fault["type"], _UNKNOWN)
    return name, words.format(**fault.get("ctx", {}) | {"input": str(fault["input"])[:50]})


def build_invalid_form(faults: Sequence[Fault]) -> dict[str, Any]:
    """The error body: a tree by property and index, `_errors` at its leaves."""
    tree: dict[str, Any] = {}
    for place, code, words in faults:
        node = tree
        for step in place:
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": words})
    return {"message": "Invalid Form Body", "code": INVALID_FORM, "errors": tree}


def to_old_form(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The error body as versions 6 and 7 word it: `{"embeds": ["0"]}`, `{"content": ["Must be 2000 or fewer …"]}`."""
    if "errors" not in body:
        return body
    return {
        name: [fault["message"] for fault in node["_errors"]] if "_errors" in node else list(node)
        for name, node in body["errors"].items()
    }
