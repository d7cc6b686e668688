# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian packages without installing them: nothing of the system's changes, and no service starts."""

import glob
import os
import shutil
import subprocess

import machine

DOWNLOAD_S = 300


class PackageError(machine.Failed):
    pass


class Store:
    """Packages that are unpacked in `folder`, each once. `make`: False has only what is there already."""

    def __init__(self, folder, make=True):
        self.folder, self.make = os.path.abspath(folder), make  # apt-get would take another one as its own

    def making(self, what):
        """To be called before something is made; says so, or raises."""
        if not self.make:
            raise PackageError(f"{what} would have to be done first (not with --no-build)")
        machine.say(what)

    def root(self, *names):
        """Of a tree with these packages and what of their dependencies is not installed. Needs apt and its sources; root."""
        root = os.path.join(self.folder, "-".join(names))
        if os.path.exists(os.path.join(root, "complete")):
            return root
        self.making(f"fetching {' and '.join(names)}")
        shutil.rmtree(root, ignore_errors=True)
        archives = os.path.join(root, "archives")
        os.makedirs(os.path.join(archives, "partial"))
        download(archives, names)
        found = glob.glob(os.path.join(archives, "*.deb"))
        if not found:
            raise PackageError(f"{' '.join(names)}: apt-get has left nothing in {archives}")
        versions = ""
        for archive in found:
            subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
            versions += subprocess.run(["dpkg-deb", "-W", archive], capture_output=True, text=True, check=True).stdout
        shutil.rmtree(archives)
        machine.write(os.path.join(root, "complete"), versions)
        return root

    def versions(self):
        """{package: version} of all that is unpacked."""
        lines = (line for path in glob.glob(os.path.join(self.folder, "*", "complete")) for line in machine.read(path).splitlines())
        return dict(line.split("\t") for line in lines)


def download(archives, names):
    """What of these packages and their dependencies is not installed, as .deb."""
    if shutil.which("apt-get") is None:
        raise PackageError("no apt-get: not Debian")
    command = ["apt-get", "-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root", "-y", "-qq",
               "--no-install-recommends", "--reinstall", "--download-only", "install", *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PackageError(f"{' '.join(names)} cannot be had: apt-get has not ended within {DOWNLOAD_S} s") from error
    if done.returncode:
        raise PackageError(f"{' '.join(names)} cannot be had: {done.stderr.strip()[-300:]} (apt-get update?)")


def environment(root):
    """For programs of a tree: where their libraries are."""
    folders = [os.path.join(root, *tail) for tail in (("usr", "lib", "x86_64-linux-gnu"), ("lib", "x86_64-linux-gnu"))]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}
