"""Tests of layers: forward, gradients, freezing."""
