"""The installed copy: what lies where, and small programs built against it in every way.

Installs into a folder, moves it (nothing may name the prefix), then builds and runs a program with
pkg-config (shared and static) and with find_package, for the engine and for the tools.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import environment

SOURCE, BUILD = os.environ["DEEPER_SOURCE"], os.environ["DEEPER_BUILD"]
CC = os.environ.get("CC", "cc")

ENGINE = r"""
#include <deeper/deeper.h>
#include <stdio.h>
int main(void) {
    dpr_context *context = NULL;
    if (dpr_context_create(NULL, &context) != DPR_OK)
        return 1;
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value x = dpr_input(graph, "x", DPR_F32, dpr_shape_of(2, 3));
    dpr_relu(graph, x);
    if (dpr_graph_finish(graph) != DPR_OK)
        return 1;
    dpr_graph_destroy(graph);
    dpr_context_destroy(context);
    printf("%s\n", dpr_version());
    return 0;
}
"""

TOOLS = r"""
#include <deeper/tools.h>
#include <stdio.h>
int main(void) {
    dpr_letters_options options = dpr_letters_options_default();
    if (options.size != sizeof options)
        return 1;
    printf("%s\n", dpr_version());
    return 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(deeper 0.1 REQUIRED)
foreach(library deeper tools)
    foreach(kind "" "-static")
        add_executable(${library}${kind} ${library}.c)
        target_link_libraries(${library}${kind} PRIVATE deeper::${library}${kind})
    endforeach()
endforeach()
"""


def run(*command, **options):
    """Runs a command; its output, or a failure that shows everything."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        first = os.path.join(cls.folder.name, "first")
        run("cmake", "--install", BUILD, "--prefix", "/opt/deeper",
            env={**os.environ, "DESTDIR": first})
        cls.prefix = os.path.join(cls.folder.name, "moved to")
        shutil.move(os.path.join(first, "opt/deeper"), cls.prefix)
        lib = [parent for parent, _, names in os.walk(cls.prefix) if "libdeeper.a" in names]
        cls.lib = lib[0]
        cls.env = {**os.environ, "LD_LIBRARY_PATH": cls.lib,
                   "PKG_CONFIG_PATH": os.path.join(cls.lib, "pkgconfig")}
        for name, text in (("deeper.c", ENGINE), ("tools.c", TOOLS), ("CMakeLists.txt", CMAKE)):
            with open(os.path.join(cls.folder.name, name), "w", encoding="utf-8") as file:
                file.write(text)
        cls.version = run(os.environ["DEEPER"], "--version").split()[-1]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def flags(self, *arguments):
        # pkg-config escapes the blank in the prefix as a shell wants it.
        out = run("sh", "-c", 'eval "set -- $(pkg-config "$@")"; printf "%s\\n" "$@"', "sh",
                  *arguments, env=self.env)
        return out.splitlines()

    def build_and_run(self, source, *flags):
        program = os.path.join(self.folder.name, "program")
        run(CC, "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program,
            os.path.join(self.folder.name, source), *flags)
        self.assertEqual(run(program, env=self.env).strip(), self.version)
        return run("readelf", "-d", program)

    def test_pkg_config_shared(self):
        self.assertEqual(run("pkg-config", "--modversion", "deeper", env=self.env).strip(),
                         self.version)
        soname = "libdeeper.so." + self.version.split(".")[0]
        self.assertIn(soname, self.build_and_run(
            "deeper.c", *self.flags("--cflags", "--libs", "deeper")))
        needs = self.build_and_run("tools.c", *self.flags("--cflags", "--libs", "deeper-tools"))
        self.assertIn("libdeeper-tools.so", needs)

    def test_pkg_config_static(self):
        flags = self.flags("--static", "--cflags", "--libs", "deeper")
        self.assertNotIn("NEEDED", self.build_and_run("deeper.c", "-static", *flags))
        # Third parties' archives are not everywhere: only ours are taken as such.
        flags = self.flags("--static", "--cflags", "--libs", "deeper-tools")
        flags = [f.replace("-ldeeper", "-l:libdeeper") + ".a" if f.startswith("-ldeeper") else f
                 for f in flags]
        self.assertNotIn("libdeeper", self.build_and_run("tools.c", *flags))

    def test_cmake_package(self):
        build = os.path.join(self.folder.name, "cmake")
        run("cmake", "-S", self.folder.name, "-B", build, "-DCMAKE_PREFIX_PATH=" + self.prefix,
            "-DCMAKE_C_COMPILER=" + CC)
        run("cmake", "--build", build)
        for name in ("deeper", "tools", "deeper-static", "tools-static"):
            program = os.path.join(build, name)
            self.assertEqual(run(program, env=self.env).strip(), self.version)
            needs = run("readelf", "-d", program)
            self.assertEqual("libdeeper" in needs, not name.endswith("-static"))

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_headers_in_cpp(self):
        source = os.path.join(self.folder.name, "program.cc")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <deeper/tools.h>\nint main() { return !dpr_version(); }\n")
        run("c++", "-Wall", "-Wextra", "-Werror", "-o", os.path.join(self.folder.name, "cpp"), source,
            *self.flags("--cflags", "--libs", "deeper-tools"))

    def test_command(self):
        command = os.path.join(self.prefix, "bin/deeper")
        self.assertEqual(run(command, "--version").split()[-1], self.version)

    def test_pages(self):
        pages = os.listdir(os.path.join(self.prefix, "share/man/man1"))
        with open(os.path.join(self.prefix, "share/man/man1/deeper.1"), encoding="utf-8") as file:
            named = set(re.findall(r"^\.BR (deeper-[\w-]+) \(1\)", file.read(), re.M))
        self.assertGreater(len(named), 8)
        self.assertEqual({"deeper.1"} | {name + ".1" for name in named}, set(pages))
        completion = os.path.join(self.prefix, "share/bash-completion/completions/deeper")
        self.assertTrue(os.path.exists(completion))

    def test_nothing_names_the_build(self):
        for parent, _, names in os.walk(self.prefix):
            for name in names:
                if name.endswith((".pc", ".cmake", ".h", ".1")):
                    with open(os.path.join(parent, name), encoding="utf-8") as file:
                        text = file.read()
                    for path in (SOURCE, BUILD, "/opt/deeper"):
                        self.assertNotIn(path, text, name)


if __name__ == "__main__":
    if os.environ.get("DEEPER_SANITIZE"):
        environment.skip("a program would need the sanitizer's runtime: tested in build/release")
    unittest.main()
