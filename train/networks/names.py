"""The names of networks and recipes, for help, completion and mistyped ones. Imports nothing heavy; a test keeps it true."""

from edgeclf.train.networks.families import APPLICATIONS, LITE

NETWORKS = (*LITE, "cnn", *map(str.lower, APPLICATIONS))
RECIPES = ("boolean", "intro", "dogs-vs-cats", "homer-bart", "elephants-cars")
