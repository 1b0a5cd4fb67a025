"""`results.md`: a script rewrites its own section and leaves the others alone."""

from pathlib import Path

import pytest

from edgeclf.benchmarks import results


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.md")
    return tmp_path / "results.md"


def test_a_table_is_markdown_with_numbers_aligned_right() -> None:
    assert results.table(("", "rate"), [("a", "1")]) == "|  | rate |\n| --- | ---: |\n| a | 1 |\n"


def test_a_section_replaces_only_the_one_with_its_title(file: Path) -> None:
    results.publish_section("B", "module.b", "first b\n")
    results.publish_section("A", "module.a", "only a\n")
    results.publish_section("B", "module.b", "second b\n")

    text = file.read_text()
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# Measured", "## A", "## B"]
    assert "first b" not in text
    assert "only a" in text
    assert "second b" in text


def test_a_section_names_its_command_and_the_machine(file: Path) -> None:
    results.publish_section("A", "module.a", "text\n")

    assert "`python -m module.a" in file.read_text()
    assert "usable core" in file.read_text()
