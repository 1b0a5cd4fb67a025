"""The reason in a message of Keras or TensorFlow is found, and is one line."""

import pytest

from edgeclf.train.keras_file.reason import reason

MESSAGES = {
    "plain": ("it is wrong", "it is wrong"),
    "empty": ("", "ValueError"),
    "config in front": (
        f"Error when deserializing class 'A' using config={'x' * 900}.\n\nException encountered: Unrecognized: {{'a': 1}}",
        "Unrecognized: {'a': 1}",
    ),
    "graph": (
        "Graph execution error:\n\nDetected at node net/conv/convolution defined at (most recent call last):\n"
        '  File "x.py", line 3, in y\n\nThe op supports only NHWC.\n\t [[{{node net/conv}}]] [Op:__inference_f_1]',
        "The op supports only NHWC",
    ),
    "layer": (
        "Exception encountered when calling A.call().\n\n\x1b[1mToo small.\x1b[0m\n\nArguments received by A.call():",
        "Too small",
    ),
    "continued": (
        "A total of 2 objects could not be loaded. The first:\n\nno numbers\nmore",
        "A total of 2 objects could not be loaded. The first: no numbers",
    ),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_the_reason_is_found(message: str, expected: str) -> None:
    assert reason(ValueError(message)) == expected
