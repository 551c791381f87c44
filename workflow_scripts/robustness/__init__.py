"""What the workflow's programs share: data, networks, training, attacks, checks and tables."""
