"""The lines of a report about a model from another tool."""

import shlex
from typing import Any

from edgeclf.runtime.inspection.other_tool import OtherTool
from edgeclf.runtime.inspection.report import SHOWN_NAMES, ReportLine, Section, first_few

_NAMES = {"crop_pct": "crop", "crop_offset": "crop offset", "pad_color": "padding", "size_hw": "size"}


def other_tool_section(found: OtherTool | None, file: str) -> Section:
    """What the model says about itself, where each fact comes from, and what to do. file: what to call the model."""
    if found is None:
        return []
    if found.problem:
        return [ReportLine("other tool", found.problem, "bad")]
    command = f"clf-run {shlex.quote(file)} -s photos/"
    run = f"run it as it is: {command}"
    return [
        ReportLine("other tool", found.tool or "not recognised"),
        *(line for name, fact in found.facts.items() for line in _lines(name, fact)),
        *([ReportLine("  missing", found.unknown, "bad")] if found.unknown else []),
        ReportLine("  to do", run if found.runs_as_it_is else f"adopt it: {found.command}", names=(command, found.command)),
    ]


def _lines(name: str, fact: dict[str, Any]) -> Section:
    value, origin = fact["value"], fact["origin"]
    if name == "scaling":
        numbers = {"mean": f"{_numbers(value['mean'])} (of levels 0 to 255)", "std": _numbers(value["std"])}
        return [ReportLine(f"  {part}", f"{text}  [{origin}]") for part, text in numbers.items()]
    return [ReportLine(f"  {_NAMES.get(name, name)}", f"{_shown(name, value)}  [{origin}]", names=_names(name, value))]


def _shown(name: str, value: Any) -> str:
    if name == "classes":
        return f"{len(value):,}: {first_few(value)}"
    if name == "size_hw":
        return f"{value[0]} x {value[1]} (H x W)"
    if isinstance(value, list | tuple):
        return _numbers(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _names(name: str, value: Any) -> tuple[str, ...]:
    return tuple(value[:SHOWN_NAMES]) if name == "classes" else ()


def _numbers(values: Any) -> str:
    """One number if all are the same.

    >>> _numbers([127.5, 127.5, 127.5]), _numbers([123.675, 116.28, 103.53])
    ('127.5', '123.675, 116.28, 103.53')
    """
    return f"{values[0]:g}" if len(set(values)) == 1 else ", ".join(f"{value:g}" for value in values)
