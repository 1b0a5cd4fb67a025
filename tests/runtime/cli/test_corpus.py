"""`clf-run` over a hostile folder: every file gets one row, good images are right, and nothing else happens."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclf.runtime.errors import Reason
from edgeclf.runtime.sources.folders import IMAGE_EXTENSIONS
from edgeclf.runtime.terminal.escaping import unescape
from tests.support.corpus import ANY_LABEL, REFUSED, Corpus
from tests.support.encodings import ENCODINGS, noisy

CLF_RUN = Path(sys.executable).with_name("clf-run")
TIMEOUT_S = 120
PEAK_KB = 1_000_000
MEASURED = (
    "import resource, subprocess, sys\n"
    "code = subprocess.run(sys.argv[1:]).returncode\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
    "sys.exit(code)\n"
)
"""Runs a command; the last line on stderr is its peak memory in KB."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus(tmp_path_factory.mktemp("hostile") / "corpus")
    yield corpus
    corpus.unlock()


@pytest.fixture(scope="module")
def finished(corpus: Corpus, colour_model: Path) -> subprocess.CompletedProcess[bytes]:
    """One run over the whole corpus, with JSON lines on stdout."""
    return run(colour_model, corpus.folder, "--json")


def run(model: Path, source: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-c", MEASURED, CLF_RUN, model, "--source", source, "--workers", "2", *options]
    environment = os.environ | {"NO_COLOR": "1"}
    return subprocess.run(line, capture_output=True, timeout=TIMEOUT_S, env=environment, check=False)


def outcomes(stdout: bytes) -> list[tuple[str, str]]:
    """The path of each JSON line, with its label or reason."""
    rows = [json.loads(line) for line in stdout.splitlines()]
    return [(unescape(row["path"]), row["label"] if row["status"] == "ok" else row["error"]) for row in rows]


def is_printable(text: bytes) -> bool:
    return all(line.isprintable() for line in text.decode("utf-8").split("\n"))


def test_the_corpus_is_as_large_as_promised(corpus: Corpus) -> None:
    assert len(corpus.expected) - sum(allowed <= ANY_LABEL for allowed in corpus.expected.values()) >= 500


def test_every_hostile_file_is_exactly_one_row(corpus: Corpus, finished: subprocess.CompletedProcess[bytes]) -> None:
    assert sorted(path for path, _ in outcomes(finished.stdout)) == sorted(corpus.expected)


def test_good_images_are_right_and_bad_ones_never_are(corpus: Corpus, finished: subprocess.CompletedProcess[bytes]) -> None:
    wrong = [(path, outcome) for path, outcome in outcomes(finished.stdout) if outcome not in corpus.expected[path]]

    assert wrong == []


def test_every_truncated_file_is_called_truncated(corpus: Corpus, finished: subprocess.CompletedProcess[bytes]) -> None:
    reasons = {outcome for path, outcome in outcomes(finished.stdout) if f"{corpus.folder}/cut/" in path}

    assert reasons <= ANY_LABEL | {Reason.TRUNCATED, Reason.EMPTY}


def test_hostile_names_put_nothing_unprintable_on_the_terminal(finished: subprocess.CompletedProcess[bytes]) -> None:
    assert is_printable(finished.stdout)
    assert is_printable(finished.stderr)


def test_a_run_over_hostile_files_exits_with_1(finished: subprocess.CompletedProcess[bytes]) -> None:
    assert finished.returncode == 1, finished.stderr.decode()


def test_a_run_over_hostile_files_takes_less_than_a_gigabyte(finished: subprocess.CompletedProcess[bytes]) -> None:
    assert int(finished.stderr.splitlines()[-1]) < PEAK_KB


def test_csv_of_hostile_names_gives_every_name_back(corpus: Corpus, colour_model: Path, tmp_path: Path) -> None:
    folder = corpus.folder / "named"
    results = tmp_path / "results.csv"

    done = run(colour_model, folder, "-o", str(results))

    with open(results, encoding="utf-8", newline="") as file:
        rows = [(unescape(row["path"]), row["label"]) for row in csv.DictReader(file)]
    expected = [path for path in corpus.expected if path.startswith(f"{folder}/")]
    assert (done.returncode, sorted(rows)) == (0, sorted((path, "green") for path in expected))
    assert is_printable(results.read_bytes())


def test_files_that_vanish_during_the_run_get_rows_too(colour_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "vanishing"
    folder.mkdir()
    data = ENCODINGS["png"](noisy("red", 32))
    paths = [folder / f"{number:04}.png" for number in range(3_000)]
    for path in paths:
        path.write_bytes(data)
    line = [CLF_RUN, colour_model, "--source", folder, "--workers", "2", "--json"]

    with subprocess.Popen(line, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # the folder is listed by now
        for number, path in enumerate(reversed(paths)):
            path.unlink() if number % 2 else os.truncate(path, number % 200)
        rest, _ = process.communicate(timeout=TIMEOUT_S)

    rows = outcomes(first + rest)
    assert [path for path, _ in rows] == [str(path) for path in paths]
    assert {"red", Reason.NOT_FOUND} < {outcome for _, outcome in rows} <= REFUSED | {"red"}
    assert process.returncode == 1


@pytest.mark.skipif("EDGECLF_ODD" not in os.environ, reason="EDGECLF_ODD does not name a folder of odd images")
def test_odd_images_of_other_peoples_test_suites_are_one_row_each(colour_model: Path) -> None:
    folder = Path(os.environ["EDGECLF_ODD"])

    done = run(colour_model, folder, "--json")

    rows = outcomes(done.stdout)
    assert {Path(path).name for path, _ in rows} == {
        path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_EXTENSIONS
    }
    assert {outcome for _, outcome in rows} <= REFUSED | ANY_LABEL
    assert (done.returncode, is_printable(done.stderr)) == (1, True)
