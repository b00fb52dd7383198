"""Classifiers from few labels: what a user would pick, and ours, on the same draws of labels."""
