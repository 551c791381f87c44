"""The attacks, one file each: the file's name is the attack's method in the config.

Each has a function `attack(context, images, labels)`, from one batch of pixels (n, h, w, c) float32 within
context.clip, and the labels (n,) int64 (of a targeted attack: the targets), to adversarial pixels of the same shape,
within context.epsilon of the images in context's norm (of bim with clip: pixel_range anywhere in the pixel range). NumPy
arrays or TensorFlow tensors, in and out.

A method of attack_settings.SWEEPABLE also has a function `iterates(context, images, labels, iterations)`, which gives
what `attack` gives with each of the rising numbers of iterations.

Two constants tell the worst case how to spend an attack: MINIMUM_NORM = True, one run serves all epsilons; FIRST_ERROR =
True, it takes projected steps from one point, which robustness/first_errors.py takes with what stands alone.
"""
