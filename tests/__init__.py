"""The tests; also a package, so that ``python -m tests.soak`` runs the long ones at full size."""
