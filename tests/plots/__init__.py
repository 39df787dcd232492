"""Tests of plots: figures, and the scales, marks and colours that they are made of."""
