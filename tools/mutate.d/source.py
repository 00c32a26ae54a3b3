# SPDX-License-Identifier: Apache-2.0
"""One C file as clang sees it: a tree of nodes with offsets into the text as it is spelled in the file."""
import ctypes
import os
import re
import shlex
import subprocess

from clang import cindex
from clang.cindex import CursorKind

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
ONE = ("-nostdinc", "-fshort-wchar", "-ffreestanding", "-fms-extensions", "-m64")
JOINED = ("-D", "-U", "-I", "-std=")
PAIRED = ("-isystem", "-iquote", "-include", "-D", "-U", "-I")

_spelling = cindex.conf.lib.clang_getSpellingLocation
_spelling.argtypes = [cindex.SourceLocation, ctypes.POINTER(cindex.c_object_p), ctypes.POINTER(ctypes.c_uint),
                      ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_uint)]
_spelling.restype = None


def where(location):
    """(file name, offset) of the place where a token is spelled; an argument of a macro is spelled at the call."""
    f, off, line, col = cindex.c_object_p(), ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint()
    _spelling(location, ctypes.byref(f), ctypes.byref(line), ctypes.byref(col), ctypes.byref(off))
    return (cindex.File(f).name if f else None), off.value


def blank(text):
    """The text with comments and literals overwritten, offsets kept."""
    def wipe(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    def keep_quotes(m):
        s = m.group(0)
        return s if s.startswith("/") else s[0] + "_" * (len(s) - 2) + s[-1]
    both = re.compile(STRING.pattern + "|" + COMMENT.pattern, re.S)
    return both.sub(lambda m: wipe(m) if m.group(0).startswith("/") else keep_quotes(m), text)


def clang_flags(command, folder):
    """What changes the meaning of the text, out of a compiler's command line."""
    args, out, i = shlex.split(command) if isinstance(command, str) else list(command), [], 1
    resource = subprocess.run(["clang", "-print-resource-dir"], capture_output=True, text=True, check=True).stdout.strip()
    while i < len(args):
        a = args[i]
        if a in PAIRED:
            value = args[i + 1]
            if a == "-isystem" and re.search(r"/lib/gcc/[^/]+/[^/]+/include", value):
                value = resource + "/include"
            out += [a, value]
            i += 1
        elif a in ONE or a.startswith(JOINED):
            out.append(a)
        elif a.startswith("-isystem") and len(a) > 8:
            out.append(a)
        i += 1
    if "-nostdinc" in out:
        out += ["-D_SIZE_T", "-D_PTRDIFF_T"]
    else:
        out += ["-isystem", resource + "/include"]
    return [*out, "-w", "-ferror-limit=0", "-working-directory=" + folder]


class Node:
    """A cursor with its spelled range. `hidden`: the range is one whole macro call and an outer node stands for it."""
    __slots__ = ("cursor", "kind", "start", "end", "spelled", "source", "hidden", "_children")

    def __init__(self, cursor, source, parent=None):
        self.cursor, self.kind, self.source = cursor, cursor.kind, source
        self._children = None
        extent = cursor.extent
        f0, self.start = where(extent.start)
        f1, self.end = where(extent.end)
        span = (self.start, self.end)
        self.hidden = parent is not None and span == (parent.start, parent.end) and span in source.macros
        self.spelled = (not self.hidden and f0 == f1 == source.path and self.start < self.end and
                        source.balanced(self.start, self.end))

    @property
    def children(self):
        if self._children is None:
            self._children = [Node(c, self.source, self) for c in self.cursor.get_children()]
        return self._children

    @property
    def text(self):
        return self.source.text[self.start:self.end]

    @property
    def macro(self):
        """Name of the macro that this range is, or None."""
        return self.source.macros.get((self.start, self.end)) if self.spelled else None

    def strip(self):
        """Without implicit casts and parentheses."""
        n = self
        while n.kind in (CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR) and len(n.children) == 1:
            n = n.children[0]
        return n

    def peel(self):
        """Without implicit casts and without what a macro puts around its argument."""
        n = self
        while len(n.children) == 1 and (n.kind == CursorKind.UNEXPOSED_EXPR or
                                        (n.hidden and n.kind in (CursorKind.PAREN_EXPR, CursorKind.CSTYLE_CAST_EXPR))):
            n = n.children[0]
        return n

    @property
    def type(self):
        return self.cursor.type


class Source:
    """A parsed file. Text is latin-1 so that offsets in bytes are offsets in the string."""

    def __init__(self, path, command, folder):
        self.path = path
        with open(path, encoding="latin-1", newline="") as f:
            self.text = f.read()
        self.bare = blank(self.text)
        self.line_starts = [0] + [m.end() for m in re.finditer("\n", self.text)]
        self.macros, self.defined, self._values = {}, {}, {}
        index = cindex.Index.create()
        self.tu = index.parse(path, args=clang_flags(command, folder),
                              options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        bad = [d for d in self.tu.diagnostics if d.severity >= cindex.Diagnostic.Error]
        if bad:
            raise SystemExit(f"mutate: clang does not understand {path}: {bad[0]}")
        self.includes = sorted({os.path.abspath(i.include.name) for i in self.tu.get_includes()})

    def balanced(self, start, end):
        part, depth = self.bare[start:end], 0
        for c in part:
            if c in "([{":
                depth += 1
            elif c in ")]}":
                depth -= 1
                if depth < 0:
                    return False
        return depth == 0 and not re.search(r"^\s*#", part, re.M)

    def line(self, offset):
        lo, hi = 0, len(self.line_starts)
        while lo + 1 < hi:
            mid = (lo + hi) // 2
            if self.line_starts[mid] <= offset:
                lo = mid
            else:
                hi = mid
        return lo + 1

    def scan(self):
        """Reads the macros; returns the functions that this file defines."""
        functions = []
        for cursor in self.tu.cursor.get_children():
            kind = cursor.kind
            if kind == CursorKind.MACRO_DEFINITION:
                self.defined[cursor.spelling] = cursor
            elif kind == CursorKind.MACRO_INSTANTIATION:
                extent = cursor.extent
                f, start = where(extent.start)
                if f == self.path:
                    self.macros.setdefault((start, where(extent.end)[1]), cursor.spelling)
            elif kind == CursorKind.FUNCTION_DECL and cursor.is_definition():
                f = cursor.location.file
                if f and f.name == self.path:
                    functions.append(cursor)
        return [Node(c, self) for c in functions]

    def is_ours(self, name, root):
        f = self.defined[name].location.file if name in self.defined else None
        return f is not None and os.path.abspath(f.name).startswith(root + os.sep)

    def value(self, name, depth=0):
        """What a macro without arguments stands for: a number where that is easy to see, else its text."""
        if name not in self.defined:
            return name
        if name not in self._values:
            text = " ".join(t.spelling for t in self.defined[name].get_tokens()).split(" ", 1)[1:]
            text = text[0] if text else ""
            inner = text.strip("() ")
            if re.fullmatch(r"[A-Za-z_]\w*", inner) and depth < 5:
                self._values[name] = self.value(inner, depth + 1)
            elif re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)[uUlL]*", inner):
                digits = inner.rstrip("uUlL")
                self._values[name] = int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if re.match("0[0-7]", digits) else 10)
            else:
                self._values[name] = text
        return self._values[name]


def plain(text):
    """One line, one blank between words, no comments: how a site is named."""
    text = text.encode("latin-1").decode("utf-8", "replace")
    return " ".join(COMMENT.sub(" ", text).split())
