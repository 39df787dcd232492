"""Tests of reports: the page, what notebooks show, and the commands that write it."""
