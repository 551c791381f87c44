"""Datasets: download, formats, splits, random erasing, augmentation."""
