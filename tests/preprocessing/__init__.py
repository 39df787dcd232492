"""Tests of rows, labels and scaling."""
