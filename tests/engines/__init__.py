"""Tests of the engines: what all offer, and lanes in particular."""
