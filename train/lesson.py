"""What a student learns from: random views of its images, and the teacher's answers to the same views.

Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent": both must see the same view, and the
student has to see many of them.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.terminal.console import note
from edgeclf.runtime.terminal.plural import plural
from edgeclf.runtime.terminal.progress import Progress
from edgeclf.train.any_model import open_any
from edgeclf.train.data.arrays import Arrays, allocate
from edgeclf.train.data.dataset import Dataset
from edgeclf.train.networks.backbones import Backbone
from edgeclf.train.recipes import Recipe
from edgeclf.train.teaching import Teaching, known_test_images, order_of_answers
from edgeclf.train.views import Viewing, views

VIEWS, VIEWS_PRETRAINED = 8, 2


def viewing_for(recipe: Recipe) -> Viewing:
    """How many views a student of this recipe sees of each image, and in which directions they may be mirrored."""
    is_pretrained = isinstance(recipe.network, Backbone) and recipe.network.weights != "none"
    changes = recipe.augmentation
    return Viewing(
        VIEWS_PRETRAINED if is_pretrained else VIEWS, changes.horizontal_flip, changes.vertical_flip, seed=recipe.seed
    )


def ask_teacher(
    teaching: Teaching, recipe: Recipe, train: Arrays, dataset: Dataset, student: Preprocess, cache: Path
) -> Arrays:
    """Views of the training and the unlabelled images for the student, with the teacher's answers.

    The order depends only on the recipe's seed. cache: the file for many views; the caller removes it. Raises ModelError.
    """
    teacher = open_any(teaching.teacher, label="")
    order = order_of_answers(teacher.card, dataset.classes, teaching.teacher)
    paths = [*train.paths, *dataset.unlabelled]
    paths = [paths[i] for i in np.random.default_rng((recipe.seed, 3)).permutation(len(paths))]
    viewing = viewing_for(recipe)
    seen = allocate((len(paths) * viewing.count, *student.shape), cache)
    answers = np.empty((len(seen), len(order)), np.float32)
    done = 0
    with Progress("asking the teacher", len(paths)) as progress:
        for for_teacher, for_student in views(paths, teacher.card.preprocess, student, viewing):
            new = slice(done, done + len(for_student))
            seen[new], answers[new] = for_student, teacher.probabilities(for_teacher)[:, order]
            done = new.stop
            progress.advance(len(for_student) // viewing.count)
    if unread := len(paths) - done // viewing.count:
        note(f"{plural(unread, 'unlabelled image')} cannot be read")
    return Arrays(seen[:done], answers[:done].argmax(axis=1), answers=answers[:done])


def lesson_facts(teaching: Teaching, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Who taught what, for `metrics.json`."""
    return {
        "teacher": str(teaching.teacher),
        "unlabelled_images": len(dataset.unlabelled),
        "views": viewing_for(recipe).count,
        "test_images_known_to_teacher": known_test_images(teaching.teacher, dataset),
    }
