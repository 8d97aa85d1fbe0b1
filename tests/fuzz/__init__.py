"""Throws bytes at everything that decodes what strangers, HubSpot or Redis sent.

A target is a function of some bytes that raises when what we promise of a decoder does not hold.
`python -m tests.fuzz` lets atheris (libFuzzer for Python) look for such bytes, guided by the
branches they reach; `test_corpus.py` replays the kept corpus, and what is drawn from it by a fixed
seed, without atheris.
"""
