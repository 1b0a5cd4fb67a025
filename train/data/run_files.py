"""The names of the files that edgeclf writes: what must not be replaced, and what is no image of a data set."""

OPTIONS_NAME = "options.json"
OUT_OF_FOLD_NAME = "out_of_fold.csv"
TEST_ANSWERS_NAME = "test_answers.csv"
FIGURES = tuple(f"{name}.png" for name in ("confusion", "curves", "calibration", "roc", "unknown", "mistakes", "samples"))
_TABLES = ("metrics.json", "history.csv", "split.csv", "bad_files.csv", OUT_OF_FOLD_NAME, TEST_ANSWERS_NAME)
RUN_FILES = ("report.html", *_TABLES, OPTIONS_NAME, *FIGURES)
"""What a training writes beside its model."""
SHEET_NAME = "augmentation.png"
"""The sheet of a preview; the next ones are augmentation-2.png and so on."""
