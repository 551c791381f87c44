"""Classifiers of other techniques: their scores are scikit-learn's own, their files say what they hold."""

import os
import pickle

import numpy as np
import pytest
from conftest import ROOT, call, run
from networks import images
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from robustness.config.technique_files import technique_names
from robustness.data.datasets import to_pixels
from robustness.data.splits import stratified_sample
from robustness.errors import UserError
from robustness.evaluation.scoring import score
from robustness.files import read_json, write_json
from robustness.models.classifiers import LEAST_PROBABILITY, load_classifier, train_classifier
from robustness.models.scored_models import load_logits
from robustness.version import project_version

NOISY = images(120, seed=1)
NOISY.labels[::6] = (NOISY.labels[::6] + 1) % 4  # so that none is right everywhere
UNSEEN = images(80, seed=2)
UNSEEN.labels[::5] = (UNSEEN.labels[::5] + 1) % 4
CASES = [
    ("logistic_regression", {"inverse_penalty": 0.1}, lambda: LogisticRegression(C=0.1, max_iter=200)),
    ("support_vector_machine", {"kernel": "linear"}, lambda: SVC(kernel="linear", break_ties=True)),
    ("support_vector_machine", {"inverse_penalty": 5.0}, lambda: SVC(C=5.0, break_ties=True)),
    ("k_nearest_neighbours", {"neighbours": 3}, lambda: KNeighborsClassifier(3)),
    ("decision_tree", {"depth": 3}, lambda: DecisionTreeClassifier(max_depth=3, random_state=7)),
    ("random_forest", {"trees": 8}, lambda: RandomForestClassifier(8, random_state=7)),
]


def flat(data):
    return to_pixels(data.images, (0.0, 1.0)).reshape(len(data), -1)


def trained(name, settings, pixel_range=(0.0, 1.0), **more):
    return train_classifier(name, settings, NOISY, pixel_range, 4, seed=7, **more)


def test_every_technique_is_tested():
    assert {name for name, _, _ in CASES} == set(technique_names())


@pytest.mark.parametrize(("name", "settings", "own"), CASES)
def test_it_scores_what_scikit_learn_scores(tmp_path, name, settings, own):
    """By the project's way through a file, and by scikit-learn's."""
    trained(name, settings).save(tmp_path / "c.pickle")
    logits = load_logits(tmp_path / "c.pickle", (8, 8, 1), 4)(to_pixels(UNSEEN.images, (0.0, 1.0)))
    theirs = own().fit(flat(NOISY), NOISY.labels)
    table = score(logits, UNSEEN.labels, 4)
    assert table["prediction"].tolist() == theirs.predict(flat(UNSEEN)).tolist()
    accuracy = (table["prediction"] == table["label"]).mean()
    assert accuracy == pytest.approx(theirs.score(flat(UNSEEN), UNSEEN.labels)) and 0.3 < accuracy < 1
    assert np.isfinite(table["loss"]).all()


@pytest.mark.parametrize("pixel_range", [(-1.0, 1.0), (0.0, 255.0)])
def test_it_sees_the_same_pixels_whatever_their_range(pixel_range):
    found = trained("logistic_regression", {}, pixel_range).logits(to_pixels(UNSEEN.images, pixel_range))
    theirs = LogisticRegression(max_iter=200).fit(flat(NOISY), NOISY.labels)
    np.testing.assert_allclose(found, theirs.predict_log_proba(flat(UNSEEN)), rtol=1e-2, atol=1e-3)


def test_logits_are_log_probabilities_and_none_is_infinite():
    found = trained("k_nearest_neighbours", {"neighbours": 4}).logits(to_pixels(UNSEEN.images, (0.0, 1.0)))
    votes = KNeighborsClassifier(4).fit(flat(NOISY), NOISY.labels).predict_proba(flat(UNSEEN))
    assert (votes == 0).any()
    np.testing.assert_allclose(np.exp(found), np.maximum(votes, LEAST_PROBABILITY), atol=1e-12)


def test_two_classes_have_two_logits():
    two = images(60, classes=2, seed=1)
    two.labels[::6] = 1 - two.labels[::6]
    found = train_classifier("support_vector_machine", {}, two, (0.0, 1.0), 2, seed=1)
    theirs = SVC().fit(flat(two), two.labels)
    logits = found.logits(to_pixels(two.images, (0.0, 1.0)))
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], theirs.decision_function(flat(two)), rtol=1e-5, atol=1e-6)
    assert logits.argmax(axis=1).tolist() == theirs.predict(flat(two)).tolist()


def test_the_limit_takes_a_stratified_part():
    few = trained("k_nearest_neighbours", {"neighbours": 1}, limit=20)
    part = NOISY.take(stratified_sample(NOISY.labels, 20, 7))
    theirs = KNeighborsClassifier(1).fit(flat(part), part.labels)
    assert few.logits(to_pixels(UNSEEN.images, (0.0, 1.0))).argmax(1).tolist() == theirs.predict(flat(UNSEEN)).tolist()


@pytest.mark.parametrize("technique", sorted({name for name, _, _ in CASES}))
def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path, technique):
    NOISY.save(tmp_path / "train.npz")
    note = {"name": "d", "classes": list("abcd"), "shape": [8, 8, 1], "pixel_range": "0-1"}
    write_json(tmp_path / "dataset.json", note)

    def words(seed):
        told = {"name": "m", "dataset": "d", "technique": technique, "seed": seed, "metadata": tmp_path / "m.json"}
        told |= {"train": tmp_path / "train.npz", "info": tmp_path / "dataset.json"}
        told["model"] = tmp_path / f"{seed}.pickle"
        return [str(word) for name, value in told.items() for word in (f"--{name}", value)]

    call("train_classifier", *words(7))
    assert read_json(tmp_path / "m.json")["workflow"] == project_version()
    call("train_classifier", *words(8))
    here, other = ((tmp_path / f"{seed}.pickle").read_bytes() for seed in (7, 8))
    run(tmp_path, "python", str(ROOT / "workflow_scripts/train_classifier.py"), *words(7))
    assert (tmp_path / "7.pickle").read_bytes() == here
    if technique == "random_forest":
        assert other != here


@pytest.mark.parametrize(
    ("name", "settings", "more", "words"),
    [
        ("perceptron", {}, {}, "there is no technique perceptron: choose one of decision_tree, k_nearest"),
        ("decision_tree", {"trees": 3}, {}, "decision_tree has no setting trees; it may have depth"),
        ("k_nearest_neighbours", {"neighbours": 121}, {}, "neighbours is 121, but there are 120"),
        ("decision_tree", {}, {"limit": 121}, "121 images are asked for, but there are only 120"),
        ("decision_tree", {}, {"limit": 3}, "has no image among the 3"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(name, settings, more, words):
    with pytest.raises(UserError, match=words):
        trained(name, settings, **more)


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "c.pickle"
    trained("decision_tree", {}).save(path)
    for shape, n_classes in (((8, 8, 3), 4), ((8, 8, 1), 10)):
        with pytest.raises(UserError, match="use a model of the same dataset"):
            load_classifier(path, shape, n_classes)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="remove it, so that it is trained again"):
        load_classifier(path, (8, 8, 1), 4)


class Harm:
    """A pickle of it makes a folder where it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_file_cannot_run_what_its_writer_liked(tmp_path):
    (tmp_path / "c.pickle").write_bytes(pickle.dumps({"estimator": Harm(tmp_path / "harm")}))
    with pytest.raises(UserError, match=r"it holds posix.mkdir"):
        load_classifier(tmp_path / "c.pickle", (8, 8, 1), 4)
    assert not (tmp_path / "harm").exists()
