"""The names of the files that edgeclf writes: what must not be replaced, and what is no image of a data set."""

OPTIONS_NAME = "options.json"
FIGURES = tuple(f"{name}.png" for name in ("confusion", "curves", "calibration", "roc", "mistakes", "samples"))
RUN_FILES = ("report.html", "metrics.json", "history.csv", "split.csv", "bad_files.csv", OPTIONS_NAME, *FIGURES)
"""What a training writes beside its model."""
SHEET_NAME = "augmentation.png"
"""The sheet of a preview; the next ones are augmentation-2.png and so on."""
