"""The attacks, one file each: the file's name is the attack's method in the config.

Each has a function `attack(context, images, labels)`, from one batch of pixels (n, h, w, c) float32 within
context.clip, and the labels (n,) int64 (of a targeted attack: the targets), to adversarial pixels of the same shape,
within context.epsilon of the images in context's norm (of bim with clip: pixel_range anywhere in the pixel range). NumPy
arrays or TensorFlow tensors, in and out.

A function `iterates(context, images, labels, iterations)`, which gives what `attack` gives with each of the rising numbers
of iterations, makes a method fit for iteration_sweeps.

What everything else has to know about a method stands in constants at the top of its file. They are read without importing
it (robustness/config/attack_declarations.py), so they have to be plain values; each may be left out.

KEYS: the keys of its config entry, besides method, norm, models and epsilons, that other attacks have too, fields of
AttackSettings. Who has `step` needs it or `relative_step`; who has `iterations` gets better with more of them. REQUIRED: those
of KEYS that an entry must have. SETTINGS: the keys that no other attack has, a JSON schema of an object whose properties have
descriptions and, unless they are required, defaults; the attack finds them in context.own.
NORMS: the norms it works in, of 'inf', '2' and '0', the first is the default; ('inf', '2') if left out.
CLIMBS: the loss whose gradient it follows, by its name in attack_losses.py, '' for an attack that follows none; if left
out, what `loss` in the entry says, or cross_entropy.
SIGN_STEPS = True: in the maximum norm each of its steps is a fixed length times the signs of a gradient, so that sets at
several epsilons may share them (attack_paths.py); without `step` it is one step of length epsilon from the image itself.
MINIMUM_NORM = True: it looks for the nearest example, so that one run serves all epsilons. FIRST_ERROR = True: it takes
projected steps from one point, which the worst case takes with what stands alone (first_errors.py). SPARES_REJECTION =
False: it can't take a loss that counts a rejection with the true class (context.loss_fn, context.margin), so that on a model
that can reject it may only lead to rejected images.
"""
