"""Benchmarks. They run without the keys, settings and tracing of whoever starts them."""

import os

for _name in list(os.environ):
    if _name.startswith(("SELFHELP_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_")):
        del os.environ[_name]
os.environ["SELFHELP_SETTINGS"] = os.devnull
