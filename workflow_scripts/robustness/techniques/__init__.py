"""The classifiers that are no neural network, one module each, of the name that the config uses.

Each has the JSON schema of its settings as SETTINGS, a literal, and a function classifier(settings, seed) that gives an
unfitted scikit-learn classifier. settings: with the schema's defaults filled in. seed: of all that it draws.
"""
