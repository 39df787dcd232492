"""Tests of files: whole or not there, and read without trust."""
