# SPDX-License-Identifier: Apache-2.0
"""What a command has measured, as JSON that people can read and compare: a row is a line."""

import json


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def _has_rows(value):
    """Whether it is a list of rows, or holds one."""
    if isinstance(value, dict):
        return any(map(_has_rows, value.values()))
    return isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value)


def _text(value, indent):
    if not _has_rows(value):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(str(key), ensure_ascii=False)}: {_text(one, inner)}" for key, one in value.items()]
        begin, end = "{}"
    else:
        parts = [json.dumps(one, ensure_ascii=False) for one in value]
        begin, end = "[]"
    return f"{begin}\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}{end}"


def write(path, document):
    """`document` with numbers of four decimals; a line for each element of its lists of rows."""
    with open(path, "w", encoding="utf-8") as out:
        out.write(_text(_rounded(document), "") + "\n")
