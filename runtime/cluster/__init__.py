"""Many machines: images in portions over a Ray cluster, each portion through the same pipeline as on one machine."""
