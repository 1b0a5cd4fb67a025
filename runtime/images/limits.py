"""The size limit of images, in a file of its own because option parsing must not import OpenCV."""

MAX_PIXELS = 100_000_000
"""Default of the largest image that is decoded."""
