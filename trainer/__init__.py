"""Reads what came out: continual pretraining from the shards of a build."""
