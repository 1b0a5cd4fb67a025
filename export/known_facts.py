"""What is known about a model from another tool before its graph is looked at."""

from edgeclf.export.external_options import ExternalModel
from edgeclf.runtime.model.conventions.facts import Facts
from edgeclf.runtime.model.conventions.package import ModelPackage
from edgeclf.runtime.model.conventions.reading import CONVENTIONS, read_facts


def known_facts(package: ModelPackage, external: ExternalModel, data: bytes | None = None) -> Facts:
    """What the owner says, then what the files of the tool say, then what holds for the tool that the owner named.

    data: the bytes of the model file, if the caller has them. Raises ModelError or OptionError.
    """
    given = external.facts()
    facts = given.over(read_facts(package, data, classes_given=given.classes is not None))
    return facts.over(CONVENTIONS[external.tool].defaults) if external.tool else facts
