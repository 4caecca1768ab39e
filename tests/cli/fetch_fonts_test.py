"""tools/fetch-fonts, with an archive and an apt of our own: two shell scripts that stand in for
apt-cache and apt-get, in front of small packages that dpkg-deb builds. No network is used."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest

import environment

SOURCE = os.environ["DEEPER_SOURCE"]

# apt-cache show … prints the archive's index; apt-get download NAME=VERSION copies, and counts.
APT_CACHE = """#!/bin/sh
[ -e "$ARCHIVE/known" ] || exit 100
shift 2
for name; do cat "$ARCHIVE/$name.index" 2>/dev/null; done
exit 0
"""
APT_GET = """#!/bin/sh
echo "$*" >>"$ARCHIVE/calls"
for word; do
    case $word in
    update) touch "$ARCHIVE/known" ;;
    *=*) name=${word%%=*}; [ "$name" = fonts-gone ] || cp "$ARCHIVE/${name}_"*.deb . ;;
    esac
done
"""


class FetchFonts(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.archive = os.path.join(self.root, "archive")
        self.fonts = os.path.join(self.root, "build", "fonts")
        self.list = os.path.join(self.root, "list")
        tools = os.path.join(self.root, "bin")
        for folder in (self.archive, tools):
            os.makedirs(folder)
        # The script's `sudo apt-get update` for those who are not root meets ours too.
        for name, text in (("apt-cache", APT_CACHE), ("apt-get", APT_GET),
                           ("sudo", '#!/bin/sh\nexec "$@"\n')):
            with open(os.path.join(tools, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(file.name, 0o755)
        self.environment = {**os.environ, "ARCHIVE": self.archive, "FONTS_LIST": self.list,
                            "PATH": tools + os.pathsep + os.environ["PATH"]}
        open(os.path.join(self.archive, "known"), "w", encoding="utf-8").close()

    def package(self, name, version="1.0"):
        """Puts a package into the archive; returns its line for the list."""
        tree = os.path.join(self.root, "tree")
        shutil.rmtree(tree, ignore_errors=True)
        os.makedirs(os.path.join(tree, "DEBIAN"))
        os.makedirs(os.path.join(tree, "usr/share/fonts"))
        with open(os.path.join(tree, "usr/share/fonts", name + ".ttf"), "w", encoding="utf-8") as file:
            file.write(version)
        with open(os.path.join(tree, "DEBIAN/control"), "w", encoding="utf-8") as file:
            file.write(f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                       "Maintainer: nobody <nobody@example.org>\nDescription: a test\n")
        deb = os.path.join(self.archive, f"{name}_{version}_all.deb")
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, deb], check=True,
                       capture_output=True)
        with open(deb, "rb") as file:
            checksum = hashlib.sha256(file.read()).hexdigest()
        with open(os.path.join(self.archive, name + ".index"), "w", encoding="utf-8") as file:
            file.write(f"Package: {name}\nVersion: {version}\nSHA256: {checksum}\n\n")
        return f"{name} {version} {checksum}\n"

    def fetch(self, *lines):
        with open(self.list, "w", encoding="utf-8") as file:
            file.write("# a comment\n" + "".join(lines))
        return subprocess.run([os.path.join(SOURCE, "tools/fetch-fonts"), self.fonts],
                              env=self.environment, capture_output=True, text=True)

    def unpacked(self, name):
        return os.path.exists(os.path.join(self.fonts, name, "usr/share/fonts", name + ".ttf"))

    def calls(self):
        try:
            with open(os.path.join(self.archive, "calls"), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_fetches_in_one_call_and_only_once(self):
        lines = [self.package("fonts-a"), self.package("fonts-b", "2.0~rc1-3")]
        first = self.fetch(*lines)
        self.assertEqual((first.returncode, first.stdout),
                         (0, f"fetch-fonts: 2 font packages in {os.path.realpath(self.fonts)}\n"))
        self.assertTrue(self.unpacked("fonts-a") and self.unpacked("fonts-b"))
        self.assertEqual(len(self.calls()), 1)
        second = self.fetch(*lines)
        self.assertEqual((second.returncode, second.stderr, len(self.calls())), (0, "", 1))

    def test_damage_is_repaired(self):
        line = self.package("fonts-a")
        self.fetch(line)
        with open(os.path.join(self.fonts, "cache", "fonts-a_1.0_all.deb"), "ab") as file:
            file.write(b"x")
        self.assertEqual(self.fetch(line).returncode, 0)
        self.assertEqual(len(self.calls()), 2)

    def test_vanished_package_is_left_out(self):
        known = self.package("fonts-a")
        gone = self.package("fonts-gone")  # in the index, but not to be downloaded
        result = self.fetch(known, gone, "fonts-unknown 1.0 00\n")
        self.assertEqual(result.returncode, 0)
        self.assertIn("note: no package fonts-unknown", result.stderr)
        self.assertIn("note: fonts-gone 1.0 could not be downloaded", result.stderr)
        self.assertTrue(self.unpacked("fonts-a"))

    def test_other_version_is_taken_with_a_note(self):
        line = self.package("fonts-a", "2.0")
        result = self.fetch(line.replace(" 2.0 ", " 1.0 "))
        self.assertEqual(result.returncode, 0)
        self.assertIn("note: fonts-a is 2.0 here, 1.0 in the list", result.stderr)
        self.assertTrue(self.unpacked("fonts-a"))

    def test_wrong_checksum_of_the_download(self):
        line = self.package("fonts-a")
        with open(os.path.join(self.archive, "fonts-a_1.0_all.deb"), "ab") as file:
            file.write(b"x")
        result = self.fetch(line)
        self.assertEqual(result.returncode, 1)
        self.assertIn("does not have the checksum", result.stderr)
        self.assertFalse(self.unpacked("fonts-a"))

    def test_archive_that_differs_from_the_list(self):
        with open("/etc/os-release", encoding="utf-8") as file:
            debian = "ID=debian\n" in file.read()
        name, version, _ = self.package("fonts-a").split()
        result = self.fetch(f"{name} {version} {'0' * 64}\n")
        if debian:
            self.assertEqual(result.returncode, 1)
            self.assertIn("is not the list's", result.stderr)
        else:
            self.assertEqual(result.returncode, 0)
            self.assertIn("was rebuilt by this distribution", result.stderr)

    def test_what_left_the_list_is_removed(self):
        lines = [self.package("fonts-a"), self.package("fonts-b")]
        self.fetch(*lines)
        self.assertEqual(self.fetch(lines[0]).returncode, 0)
        self.assertTrue(self.unpacked("fonts-a"))
        self.assertFalse(self.unpacked("fonts-b"))

    def test_updates_apt_once_when_it_knows_nothing(self):
        line = self.package("fonts-a")
        os.remove(os.path.join(self.archive, "known"))
        result = self.fetch(line)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(sum("update" in call for call in self.calls()), 1)
        self.assertTrue(self.unpacked("fonts-a"))

    def test_nothing_to_be_had(self):
        result = self.fetch("fonts-unknown 1.0 00\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no font package could be fetched", result.stderr)

    def test_without_apt(self):
        os.remove(os.path.join(self.root, "bin", "apt-get"))
        tools = os.path.join(self.root, "tools")
        os.makedirs(tools)
        for name in ("sh", "dirname", "mkdir"):
            os.symlink(shutil.which(name), os.path.join(tools, name))
        self.environment["PATH"] = tools
        result = self.fetch("fonts-a 1.0 00\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("this system has no apt-get", result.stderr)

    def test_usage(self):
        result = subprocess.run([os.path.join(SOURCE, "tools/fetch-fonts")], capture_output=True,
                                text=True)
        self.assertEqual((result.returncode, result.stderr), (2, "usage: tools/fetch-fonts DIR\n"))


if __name__ == "__main__":
    if shutil.which("dpkg-deb") is None:
        environment.skip("dpkg-deb is not there, so no packages can be made")
    unittest.main()
