"""The defences that are more than a setting of the training recipe, one file each: its name is the method in the config.

Each has SETTINGS, the JSON schema of its parameters as a plain value, which is read without importing the file, and one of
two functions:

make_trainer(task, settings) gives the Keras model whose loss is minimised, around task.network (robustness.training.defence_task);
wrap(task, settings) gives a network from pixels to logits that stands around task.network, which is trained.

settings: a mapping of what SETTINGS describes, with its defaults filled in. REJECTS = True: the network has one output more
than there are classes, the last of them the rejection (robustness.models.rejection). NEEDS_INITIAL = True: it goes on from
the trained model that the config names as `initial`, task.initial. docs/add_a_defence.md makes up one of each kind.
"""
