"""What the rules need to know before anything is run: what a study's config asks for, and what its results depend on."""
