"""Tests of the trainer, callbacks, checkpoints and what ends a run."""
