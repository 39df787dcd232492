"""Tests of readers of data files, and downloads."""
