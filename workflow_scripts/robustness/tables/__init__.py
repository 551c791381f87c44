"""Tables and the answer page, made from records."""
