# make run   the quick study, in a virtual environment of its own
# make test  the tests, in the same environment with the test tools added
# make docs  the quick study, and its tables and some of its figures copied to docs/quick_study
# make docs-fashion-mnist  the study of the Fashion-MNIST report, whole, and its tables and figures to docs/fashion_mnist
# make docs-temperature-sweep  the study of nine temperatures, and its tables and figure to docs/temperature_sweep
# make lock  pin requirements.txt and requirements-test.txt anew from the .in files (for maintainers)

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: run test docs docs-fashion-mnist docs-temperature-sweep lock clean

run: $(VENV)/run.stamp
	snakemake --cores all
	@echo "Done: see results/tables/findings.md, the other tables beside it, and results/plots."

test: $(VENV)/test.stamp
	python -m pytest

FIGURES := accuracy/fashion_mnist/worst_case_norm_inf \
    accuracy/fashion_mnist/fgsm accuracy/fashion_mnist/pgd loss/fashion_mnist/pgd \
    examples/undefended/seed1/pgd/eps0.1 examples/distilled/seed1/fgsm/eps0.1 \
    confusion/undefended/seed1 training/distilled/seed1 erasing/fashion_mnist

docs: run
	cp results/tables/*.md results/tables/*.csv docs/quick_study/
	for figure in $(FIGURES); do \
	    cp results/plots/$$figure.png docs/quick_study/$$(echo $$figure | tr / _ | sed 's/_fashion_mnist\|_seed1//g').png; \
	done

REPORT := results/fashion_mnist
REPORT_FIGURES := confusion/original/seed1 iterations/fashion_mnist/bim_iterations published \
    comparisons/figure_12 comparisons/figure_13 comparisons/figure_15 comparisons/figure_16 comparisons/figure_17 \
    comparisons/adversarial_training accuracy/fashion_mnist/worst_case_norm_inf training/early_stopping/seed1 \
    training/original/seed1 comparisons/section_4_2_2 examples/original/seed1/fgsm/eps0.05 \
    examples/original/seed1/bim_ball/eps0.05 examples/original/seed1/bim_range/eps0.05

docs-fashion-mnist: $(VENV)/run.stamp
	snakemake --cores all --configfile studies/fashion_mnist.yaml
	mkdir -p docs/fashion_mnist
	cp $(REPORT)/tables/*.md $(REPORT)/tables/*.csv docs/fashion_mnist/
	for figure in $(REPORT_FIGURES); do \
	    cp $(REPORT)/plots/$$figure.png docs/fashion_mnist/$$(echo $$figure | tr / _ | sed 's/_fashion_mnist\|_seed1//g').png; \
	done

SWEEP := results/temperature_sweep

docs-temperature-sweep: $(VENV)/run.stamp
	snakemake --cores all --configfile studies/temperature_sweep.yaml
	mkdir -p docs/temperature_sweep
	cp $(SWEEP)/tables/*.md $(SWEEP)/tables/*.csv docs/temperature_sweep/
	cp $(SWEEP)/plots/temperatures/to_500.png docs/temperature_sweep/

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
	rm -rf $(VENV)
