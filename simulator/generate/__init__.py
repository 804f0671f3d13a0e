"""Workspaces out of a seed: the same seed, number, sizes and anchor give the same workspace, byte for byte."""
