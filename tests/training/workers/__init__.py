"""Tests of several processes that train one network."""
