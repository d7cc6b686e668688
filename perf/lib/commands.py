# SPDX-License-Identifier: Apache-2.0
"""The commands of perf/, which have no .py, as modules: for their tests."""

import importlib.machinery
import importlib.util
import os


def load(name):
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name)
    loader = importlib.machinery.SourceFileLoader(name, path)
    made = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(made)
    return made
