"""How networks are trained: recipe, loop, and the trainings of the defences."""
