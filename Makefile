# make run   the quick study, in a virtual environment of its own
# make test  the tests, in the same environment with the test tools added
# make ahead STUDY=studies/x.yaml CONDA=1  what a study needs from the network, before it goes to nodes without: the environment,
#   data and weights, with CONDA=1 conda's environments; without STUDY for the quick study
# make docs  the quick study, and its tables and some of its figures copied to docs/quick_study
# make docs-answers  the quick study with ten seeds, with two threads and without oneDNN: whether its answer is the same in all
# make docs-fashion-mnist  the study of the Fashion-MNIST report, whole, and its tables and figures to docs/fashion_mnist
# make docs-temperature-sweep  the study of nine temperatures, and its tables and figure to docs/temperature_sweep
# make docs-cifar-small  the small study of CIFAR-10 and CIFAR-100, and its tables and figures to docs/cifar_small
# make docs-reviewed-defences  the study of the defences and attacks that the thesis reviews, and its tables and
#   figures to docs/reviewed_defences
# make bench  the benchmarks beside other libraries, and their measurements to docs/performance and docs/performance.md; keep
#   the machine free for the hour that they take
# make lock  pin requirements.txt and requirements-test.txt anew from the .in files (for maintainers)

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# --no-cache-dir: pip's cache would lie in the home folder.
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-cache-dir --quiet

# Snakemake, matplotlib and Keras write into the home folder; where that is not possible, into the clone.
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export XDG_CACHE_HOME ?= $(CURDIR)/.snakemake/cache
export MPLCONFIGDIR ?= $(CURDIR)/.snakemake/cache/matplotlib
export KERAS_HOME ?= $(CURDIR)/.snakemake/cache/keras
endif

.PHONY: run test ahead docs docs-answers docs-fashion-mnist docs-temperature-sweep docs-cifar-small docs-reviewed-defences bench lock clean

run: $(VENV)/run.stamp
	snakemake --cores all
	@echo "Done: see results/tables/findings.md, the other tables beside it, and results/plots."

# Three files of tests at a time: most of them keep one core busy, and one waits for a cluster's queue. A file stays in one
# process, since its tests share studies.
test: $(VENV)/test.stamp
	python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# Into the cache that studies share, too, where one is named.
STUDY_OPTION = $(if $(STUDY),--configfile $(STUDY))

ahead: $(VENV)/run.stamp
	snakemake --cores all --until download_dataset $(if $(SNAKEMAKE_OUTPUT_CACHE),--cache) $(STUDY_OPTION)
	$(if $(CONDA),snakemake --cores 1 --use-conda --conda-create-envs-only $(STUDY_OPTION))

# The tables in a results folder, and some of its figures, to a folder of docs.
define to_docs
mkdir -p docs/$(2)
cp $(1)/tables/*.md $(1)/tables/*.csv docs/$(2)/
for figure in $(3); do \
    cp $(1)/plots/$$figure.png docs/$(2)/$$(echo $$figure | tr / _ | sed 's/_fashion_mnist\|_seed1//g').png || exit 1; \
done
endef

FIGURES := accuracy/fashion_mnist/worst_case_norm_inf \
    accuracy/fashion_mnist/fgsm accuracy/fashion_mnist/pgd loss/fashion_mnist/pgd \
    examples/undefended/seed1/pgd/eps0.1 examples/distilled/seed1/fgsm/eps0.1 \
    confusion/undefended/seed1 training/distilled/seed1 erasing/fashion_mnist

docs: run
	$(call to_docs,results,quick_study,$(FIGURES))

# Two threads, and TensorFlow without oneDNN, round as other processors do.
docs-answers: $(VENV)/run.stamp
	snakemake results/ten_seeds/tables/findings.md --cores all --configfile config.yaml studies/ten_seeds.yaml
	snakemake results/two_threads/tables/findings.md --cores all --configfile config.yaml studies/two_threads.yaml
	TF_ENABLE_ONEDNN_OPTS=0 snakemake results/without_onednn/tables/findings.md --cores all \
	    --config results_dir=results/without_onednn
	python benchmarks/answers.py --run "one thread" results/ten_seeds --run "two threads" results/two_threads \
	    --run "without oneDNN" results/without_onednn --table docs/quick_study/answers.csv --text docs/quick_study/answers.md
	cp results/ten_seeds/tables/findings.md docs/quick_study/findings_of_ten_seeds.md

REPORT_FIGURES := confusion/original/seed1 iterations/fashion_mnist/bim_iterations published \
    comparisons/figure_12 comparisons/figure_13 comparisons/figure_15 comparisons/figure_16 comparisons/figure_17 \
    comparisons/adversarial_training accuracy/fashion_mnist/worst_case_norm_inf training/early_stopping/seed1 \
    training/original/seed1 comparisons/section_4_2_2 examples/original/seed1/fgsm/eps0.05 \
    examples/original/seed1/bim_ball/eps0.05 examples/original/seed1/bim_range/eps0.05

docs-fashion-mnist: $(VENV)/run.stamp
	snakemake --cores all --configfile studies/fashion_mnist.yaml
	$(call to_docs,results/fashion_mnist,fashion_mnist,$(REPORT_FIGURES))

docs-temperature-sweep: $(VENV)/run.stamp
	snakemake --cores all --configfile studies/temperature_sweep.yaml
	$(call to_docs,results/temperature_sweep,temperature_sweep,temperatures/to_500)

CIFAR_FIGURES := comparisons/step_budget_cifar10 comparisons/step_budget_cifar100 \
    accuracy/cifar10/fgsm accuracy/cifar10/worst_case_norm_inf accuracy/cifar100/fgsm \
    accuracy/cifar100/worst_case_norm_inf training/cifar10_vgg11/seed1 training/cifar10_resnet20/seed1 \
    training/cifar10_inception_small/seed1 training/cifar100_vgg11/seed1 training/cifar100_resnet20/seed1 \
    training/cifar100_inception_small/seed1 examples/cifar10_resnet20/seed1/pgd_relative_step/eps8 erasing/cifar10

# SOURCES=FILE names a second config file, with folders as sources, for machines without network.
docs-cifar-small: $(VENV)/run.stamp
	snakemake --cores all --configfile studies/cifar_small.yaml $(SOURCES)
	$(call to_docs,results/cifar_small,cifar_small,$(CIFAR_FIGURES))

REVIEWED_FIGURES := accuracy/fashion_mnist/fgsm accuracy/fashion_mnist/pgd accuracy/fashion_mnist/carlini_wagner \
    accuracy/fashion_mnist/jsma accuracy/fashion_mnist/worst_case_norm_inf accuracy/fashion_mnist/worst_case_norm_2 \
    examples/undefended/seed1/jsma/eps0.1 examples/detector/seed1/pgd/eps0.1 examples/null_labelled/seed1/pgd/eps0.1

docs-reviewed-defences: $(VENV)/run.stamp
	snakemake --cores all --configfile studies/reviewed_defences.yaml
	$(call to_docs,results/reviewed_defences,reviewed_defences,$(REVIEWED_FIGURES))

# PyTorch has an environment of its own: in one process it and TensorFlow don't bear each other. Its own wheel index has
# builds without the gigabytes for GPUs (set PIP_EXTRA_INDEX_URL to it).
VENV_TORCH := .venv-torch
MEASURED := docs/performance

bench: $(VENV)/test.stamp $(VENV_TORCH)/stamp
	test -f results/tables/findings.md || snakemake --cores all
	python benchmarks/machine.py --output $(MEASURED)/machine.csv
	python benchmarks/crafting_seconds.py results --torch-python $(VENV_TORCH)/bin/python --output $(MEASURED)/crafting.csv
	python benchmarks/worst_case_seconds.py results --output $(MEASURED)/worst_case.csv
	python benchmarks/training_rate.py --output $(MEASURED)/training.csv
	python benchmarks/precision_accuracy.py --output $(MEASURED)/precision.csv
	python benchmarks/overhead_seconds.py --output $(MEASURED)/overhead.csv
	python benchmarks/growth_seconds.py --output $(MEASURED)/growth.csv
	python benchmarks/planning_seconds.py --output $(MEASURED)/planning.csv
	python benchmarks/submission_seconds.py --output $(MEASURED)/submissions.csv
	python benchmarks/memory_peaks.py --output $(MEASURED)/memory.csv
	python benchmarks/write_performance.py $(MEASURED) docs/performance.md

$(VENV_TORCH)/stamp: requirements-bench.txt
	$(PYTHON) -m venv $(VENV_TORCH)
	$(VENV_TORCH)/bin/python -m pip --disable-pip-version-check --quiet install --requirement requirements-bench.txt
	touch $@

# --no-deps: the requirements are complete, and cleverhans asks for packages that its attacks do not need.
$(VENV)/run.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	    { echo "$(PYTHON) is not Python 3.11 to 3.13: name one, as in make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --requirement requirements.txt
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements-test.txt
	$(PIP) install --no-deps --requirement requirements-test.txt
	touch $@

# All but cleverhans with what they need; of cleverhans itself only.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	grep -v cleverhans requirements.in > .venv-lock/direct.txt
	.venv-lock/bin/pip install --quiet --requirement .venv-lock/direct.txt
	.venv-lock/bin/pip install --quiet --no-deps "$$(grep cleverhans requirements.in)"
	(echo "# Pinned by make lock from requirements.in." && .venv-lock/bin/pip freeze) > requirements.txt
	.venv-lock/bin/pip install --quiet --requirement requirements-test.in
	(echo "# Pinned by make lock from requirements-test.in; what requirements.txt has is left out." && \
	    .venv-lock/bin/pip freeze | grep -vxFf requirements.txt) > requirements-test.txt
	rm -rf .venv-lock

clean:
	rm -rf $(VENV) $(VENV_TORCH)
