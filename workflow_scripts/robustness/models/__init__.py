"""Networks and other classifiers: how they are built, saved, loaded and asked."""
