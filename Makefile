.PHONY: check lint test notebooks docs demo bench

check: ## What CI runs.
	bash .ci/run

lint:
	uv run ruff check && uv run ruff format --check && uv run mypy

test:
	uv run --group local pytest

notebooks: ## Runs the notebooks anew, and keeps what they show.
	uv run --group notebooks --group local python -m notebooks

docs:
	uv run --group docs mkdocs build --strict

demo:
	uv run --group local selfhelp demo

bench:
	uv run --group bench python -m benchmarks
