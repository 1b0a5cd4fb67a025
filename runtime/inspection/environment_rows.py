"""The environment, for a reader."""

from edgeclf.runtime.inspection.environment import Check, Environment
from edgeclf.runtime.inspection.rows import Look, Row, Section, size


def environment_sections(found: Environment) -> list[Section]:
    return [
        [
            Row("CONFLICT", f"{' and '.join(c.packages)} overwrite each other; cure: {c.cure}", "bad")
            for c in found.conflicts
        ],
        _machine(found),
        [
            Row("packages" if not number else "", f"{name} {version}")
            for number, (name, version) in enumerate(found.packages.items())
        ],
        _engines(found),
        _images(found),
    ]


def _machine(found: Environment) -> Section:
    limit = found.memory_limit_bytes
    memory = size(found.memory_bytes) + (f", of which this process may use {size(limit)}" if limit else "")
    return [
        Row("edgeclf", found.edgeclf),
        Row("Python", f"{found.python} ({found.executable})"),
        Row("system", found.platform),
        Row("processor", found.processor),
        Row("cores", f"{found.cores_usable} usable of the machine's {found.cores_machine}"),
        Row("memory", memory),
    ]


def _engines(found: Environment) -> Section:
    rows = [_module("onnxruntime", found.onnxruntime)]
    for name, check in found.providers.items():
        look: Look = "good" if check.works else "plain"
        rows.append(Row(f"  {name.removesuffix('ExecutionProvider')}", check.problem or "starts", look))
    return [*rows, _module("LiteRT", found.litert)]


def _images(found: Environment) -> Section:
    drawn = (
        f"OpenCV draws with {found.window}"
        if found.window
        else "none: this OpenCV is built without (edgeclf[desktop] has one)"
    )
    window = drawn if found.display or not found.window else f"{drawn}, but there is no display (DISPLAY is not set)"
    return [
        _module("OpenCV", found.opencv),
        Row("  window", window if found.opencv.works else "unknown"),
        Row("cameras", ", ".join(found.cameras) or "none"),
    ]


def _module(label: str, check: Check) -> Row:
    return Row(label, check.problem or "can be imported", "good" if check.works else "bad")
