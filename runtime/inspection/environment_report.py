"""The environment as a report for people."""

from edgeclf.runtime.inspection.environment import Check, Environment
from edgeclf.runtime.inspection.report import ReportLine, Section, Style, format_size


def environment_sections(found: Environment) -> list[Section]:
    return [
        [
            ReportLine("CONFLICT", f"{' and '.join(c.packages)} overwrite each other; to repair: {c.cure}", "bad", (c.cure,))
            for c in found.conflicts
        ],
        _machine(found),
        [
            ReportLine("packages" if not number else "", f"{name} {version}")
            for number, (name, version) in enumerate(found.packages.items())
        ],
        _engines(found),
        _opencv(found),
    ]


def _machine(found: Environment) -> Section:
    limit = found.memory_limit_bytes
    memory = format_size(found.memory_bytes) + (f", of which this process may use {format_size(limit)}" if limit else "")
    return [
        ReportLine("edgeclf", found.edgeclf),
        ReportLine("Python", f"{found.python} ({found.executable})", names=(found.executable,)),
        ReportLine("system", found.platform),
        ReportLine("processor", found.processor),
        ReportLine("cores", f"{found.cores_usable} usable of the machine's {found.cores_machine}"),
        ReportLine("memory", memory),
    ]


def _engines(found: Environment) -> Section:
    rows = [_module("onnxruntime", found.onnxruntime)]
    for name, check in found.providers.items():
        style: Style = "good" if check.works else "plain"
        rows.append(ReportLine(f"  {name.removesuffix('ExecutionProvider')}", check.problem or "starts", style))
    return [*rows, _module("LiteRT", found.litert)]


def _opencv(found: Environment) -> Section:
    toolkit = (
        f"OpenCV draws with {found.window}"
        if found.window
        else "none: this OpenCV is built without windows (edgeclf[desktop] has them)"
    )
    window = toolkit if found.display or not found.window else f"{toolkit}, but there is no display (DISPLAY is not set)"
    return [
        _module("OpenCV", found.opencv),
        ReportLine("  window", window if found.opencv.works else "unknown"),
        ReportLine("cameras", ", ".join(found.cameras) or "none", names=tuple(found.cameras)),
    ]


def _module(label: str, check: Check) -> ReportLine:
    return ReportLine(label, check.problem or "can be imported", "good" if check.works else "bad")
