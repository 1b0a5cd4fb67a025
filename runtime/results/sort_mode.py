"""What `--sort` does with an image; in a file of its own because option parsing must not import the sorting itself."""

from typing import Literal

SortMode = Literal["copy", "move", "link", "plan"]
"""`plan` only says where each image would go."""
