"""A run over many machines: a Ray cluster takes portions of images, and each goes through the pipeline of a local run."""
