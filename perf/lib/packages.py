# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian packages without installing them: nothing of the system's changes, and no service starts."""

import glob
import os
import shutil
import subprocess

import machine


class PackageError(machine.Failed):
    pass


def unpacked(folder, *names):
    """The root of a tree with these packages and what of their dependencies is not installed, in `folder`, made once.
    Needs apt and its sources; root."""
    root = os.path.join(os.path.abspath(folder), "-".join(names))  # apt-get would take another one as its own
    if os.path.exists(os.path.join(root, "complete")):
        return root
    if shutil.which("apt-get") is None:
        raise PackageError("no apt-get: not Debian")
    shutil.rmtree(root, ignore_errors=True)
    archives = os.path.join(root, "archives")
    os.makedirs(os.path.join(archives, "partial"))
    done = subprocess.run(["apt-get", "-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root", "-y", "-qq",
                           "--no-install-recommends", "--reinstall", "--download-only", "install", *names],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{' '.join(names)} cannot be had: {done.stderr.strip()[-300:]} (apt-get update?)")
    found = glob.glob(os.path.join(archives, "*.deb"))
    if not found:
        raise PackageError(f"{' '.join(names)}: apt-get has left nothing in {archives}")
    for archive in found:
        subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
    shutil.rmtree(archives)
    with open(os.path.join(root, "complete"), "w", encoding="utf-8"):
        pass
    return root


def environment(root):
    """For programs of a tree: where their libraries are."""
    folders = [os.path.join(root, *tail) for tail in (("usr", "lib", "x86_64-linux-gnu"), ("lib", "x86_64-linux-gnu"))]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}
