"""``python -m scratchnn.datasets``: downloads MNIST."""

from __future__ import annotations

from .dataset import main

if __name__ == "__main__":
    raise SystemExit(main())
