# SPDX-License-Identifier: Apache-2.0
"""Finds every place that an operator can change, as edits of the text that compose when they nest.

Each mutation has a number; the edited text asks wedr_m(number). Sites inside a constant expression (case labels, array
sizes, static initialisers) cannot ask and are left out, as is text that only a macro's body spells.
"""
import re

from clang.cindex import CursorKind as K
from clang.cindex import StorageClass, TypeKind

from rewrite import Edit, Mutant
from source import plain
from tables import (ACQUIRE, RELEASE_LOCK, LOCKISH, RELEASE, ORDERED, SILENT, LENGTH, BOUND_MACRO, HARMLESS, NOT_FLAG,
                    NOT_INTEGER, NEIGHBOURS, BOUND_STEP, INTS, UNSIGNED, SKIP, LVALUES, CONTEXT, CONTEXT_CHARS, CALL,
                    STATUS, GOOD)


class Finder:
    def __init__(self, source, name, first_id, root):
        self.s, self.file, self.next_id = source, name, first_id
        self.root = root
        self.mutants, self.edits, self.function = [], [], ""
        self.done, self.counts, self.groups = set(), {}, {}
        self.result = None
        self.stack = []
        self.locks = []  # (function, is acquire, object, number, node, end)

    # -- making mutants --
    def new(self, operator, at, before, after, span=None):
        if span:
            before, after = self.in_context(span, after)
        before, after = plain(before), plain(after)
        key = (self.function, operator, before, after)
        self.counts[key] = self.counts.get(key, 0) + 1
        m = Mutant(self.next_id, self.file, self.s.line(at), self.function, operator, before, after, self.counts[key])
        self.next_id += 1
        self.mutants.append(m)
        return m.id

    def in_context(self, span, after):
        """(text, changed text) of the largest expression around span that still fits a line."""
        start, end = span
        text = self.s.text
        best = span
        for n in reversed(self.stack):
            if n.spelled and n.start <= start and end <= n.end and n.kind in CONTEXT:
                found = self.operator_between(n) if n.kind == K.BINARY_OPERATOR else None
                if len(plain(n.text)) > CONTEXT_CHARS or (found and found[0] in ("&&", "||")):
                    break
                best = (n.start, n.end)
        return text[best[0]:best[1]], text[best[0]:start] + after + text[end:best[1]]

    def once(self, operator, n):
        key = (operator, n.start, n.end)
        if not n.spelled or key in self.done:
            return False
        self.done.add(key)
        return True

    def wrap(self, n, before, after, level, *ids):
        self.edits.append(Edit(n.start, n.end, before, after, level, ids))

    def choose(self, operator, n, options, level=6):
        """The expression n is one of the texts in options instead."""
        if options and self.once(operator, n):
            ids = [self.new(operator, n.start, n.text, o, (n.start, n.end)) for o in options]
            chain = "".join(f"wedr_m({i}) ? ({o}) : " for i, o in zip(ids, options))
            self.wrap(n, f"({chain}(", "))", level, *ids)

    def step(self, n, steps=(1, -1)):
        if not steps or not self.once("off1", n):
            return
        shown = n.text if re.fullmatch(r"[\w.>()\[\]-]+|\(.*\)", n.text, re.S) else f"({n.text})"
        ids = [self.new("off1", n.start, n.text, f"{shown} {'+' if d > 0 else '-'} 1", (n.start, n.end))
               for d in steps]
        change = " ".join(f"{'+' if d > 0 else '-'} wedr_m({i})" for i, d in zip(ids, steps))
        self.wrap(n, "((", f") {change})", 5, *ids)

    # -- what a node is --
    @staticmethod
    def integer(n):
        core = n.strip()
        for node in (n, core):
            t = node.type
            if t.get_canonical().kind not in INTS or NOT_INTEGER.search(t.spelling) or t.kind == TypeKind.ENUM:
                return False
        ref = core.cursor.referenced if core.kind == K.DECL_REF_EXPR else None
        return not (ref is not None and ref.kind == K.ENUM_CONSTANT_DECL and not BOUND_MACRO.search(ref.spelling))

    def constant_name(self, n):
        """NAME when n is spelled as one macro or enumerator without arguments."""
        core = n.strip()
        text = n.text if n.spelled else ""
        if re.fullmatch(r"[A-Za-z_]\w*", text):
            if (n.start, n.end) in self.s.macros:
                return text
            ref = core.cursor.referenced if core.kind == K.DECL_REF_EXPR else None
            if ref is not None and ref.kind == K.ENUM_CONSTANT_DECL:
                return text
        return None

    def countable(self, n):
        """An integer that one more or one less makes sense for."""
        if not n.spelled or not self.integer(n):
            return False
        name = self.constant_name(n)
        return name is None or bool(BOUND_MACRO.search(name))

    @staticmethod
    def steps_for(n):
        return (1,) if re.fullmatch(r"0[uUlL]*", n.text.strip("() ")) else (1, -1)

    def operator_between(self, n):
        """(operator, start, end of the text between both operands) or None when it is not spelled there."""
        if not n.spelled or len(n.children) != 2:
            return None
        a, b = n.children
        if not (a.spelled and b.spelled and n.start == a.start and n.end == b.end and a.end <= b.start):
            return None
        if (n.start, n.end) in self.s.macros:
            return None
        return self.s.bare[a.end:b.start].strip(), a.end, b.start

    # -- expressions --
    def visit(self, n):
        if n.kind in SKIP:
            return
        handler = {K.BINARY_OPERATOR: self.binary, K.COMPOUND_ASSIGNMENT_OPERATOR: self.compound_assign,
                   K.ARRAY_SUBSCRIPT_EXPR: self.subscript, K.CALL_EXPR: self.call, K.CONDITIONAL_OPERATOR: self.ternary,
                   K.RETURN_STMT: self.return_statement, K.VAR_DECL: self.variable, K.INIT_LIST_EXPR: self.init_list,
                   K.COMPOUND_STMT: self.compound, K.IF_STMT: self.if_statement, K.WHILE_STMT: self.while_statement,
                   K.DO_STMT: self.do_statement, K.FOR_STMT: self.for_statement, K.CASE_STMT: self.labelled,
                   K.DEFAULT_STMT: self.labelled, K.LABEL_STMT: self.labelled}.get(n.kind)
        name = self.constant_name(n) if n.kind.is_expression() else None
        if name:
            self.constant(n, name)
            return
        self.stack.append(n)
        if handler:
            handler(n)
        for c in self.inner(n):
            self.visit(c)
        self.stack.pop()

    def inner(self, n):
        """The children that may hold sites."""
        if n.kind == K.CASE_STMT:
            return n.children[1:]
        if n.kind == K.VAR_DECL:
            init = self.initialiser(n)
            return [init] if init else []
        return n.children

    def binary(self, n):
        found = self.operator_between(n)
        if not found:
            return
        op, cut, resume = found
        a, b = n.children
        if op in NEIGHBOURS:
            self.comparison(n, op, cut, resume)
        elif op in ("&&", "||"):
            if self.once("logic", n):
                other = "||" if op == "&&" else "&&"
                left = self.last_operand(a)
                i = self.new("logic", left.start, f"{left.text} {op} {b.text}", f"{left.text} {other} {b.text}",
                             (left.start, b.end))
                on, off = ("!wl", "wl") if op == "&&" else ("wl", "!wl")
                self.wrap(n, f"(__extension__({{ int wl{i} = !!(", f") : wl{i}; }}))", 6, i)
                test = f"wedr_m({i}) ? {on}{i} : {off}{i}"
                self.edits.append(Edit(cut, resume, f"); ({test}) ? !!(", "", 0, (i,), True))
            self.condition(a)
            self.condition(b)
        elif op == "=":
            self.assigned(a, b)
        elif op in ("+", "-"):
            for pointer, index in ((a, b), (b, a)):
                if pointer.type.get_canonical().kind in (TypeKind.POINTER, TypeKind.CONSTANTARRAY,
                                                         TypeKind.INCOMPLETEARRAY) and self.countable(index):
                    self.step(index, self.steps_for(index))

    def last_operand(self, n):
        """What stands next to the operator in a chain of && and ||."""
        while n.kind == K.BINARY_OPERATOR:
            found = self.operator_between(n)
            if not found or found[0] not in ("&&", "||"):
                break
            n = n.children[1]
        return n

    def comparison(self, n, op, cut, resume):
        a, b = n.children
        if not self.once("compare", n):
            return
        ordering = op in BOUND_STEP
        number = all(self.integer(x) and (ordering or self.constant_name(x) is None or BOUND_MACRO.search(x.text))
                     for x in (a, b))
        if ordering:
            self.done |= {("constant", x.start, x.end) for x in (a, b)}
        others = list(NEIGHBOURS[op])
        zero = re.fullmatch(r"0[uUlL]*", b.text) and a.strip().type.get_canonical().kind in UNSIGNED
        if op in ("==", "!="):
            if not number or zero:
                others = others[:1]
        if ordering and self.picks_one(n, a, b):
            others = others[1:]
        ids = [self.new("compare", n.start, n.text, f"{a.text} {o} {b.text}", (n.start, n.end)) for o in others]
        i = ids[0]
        la, lb = ("+" if self.bit_field(x) else "" for x in (a, b))
        chain = "".join(f"wedr_m({k}) ? wl{i} {o} wr{i} : " for k, o in zip(ids, others))
        self.wrap(n, f"(__extension__({{ __auto_type wl{i} = {la}(", f"); {chain}wl{i} {op} wr{i}; }}))", 6, *ids)
        self.edits.append(Edit(cut, resume, f"); __auto_type wr{i} = {lb}(", "", 0, tuple(ids), True))
        if ordering and number and not zero:
            self.step(b, (BOUND_STEP[op],))

    def picks_one(self, n, a, b):
        """a < b ? a : b: with <= the same, as equal values are one value."""
        outer = next((x for x in reversed(self.stack[:-1]) if x.kind not in (K.PAREN_EXPR, K.UNEXPOSED_EXPR)), None)
        if outer is None or outer.kind != K.CONDITIONAL_OPERATOR or len(outer.children) != 3:
            return False
        first, *branches = (x.text for x in outer.children)
        return first == n.text and sorted(branches) == sorted((a.text, b.text))

    @staticmethod
    def bit_field(n):
        ref = n.strip().cursor.referenced
        return ref is not None and ref.kind == K.FIELD_DECL and ref.is_bitfield()

    def condition(self, n):
        """A truth that can be its opposite; comparisons, && and || have operators of their own."""
        core = n.strip()
        while core.kind == K.UNARY_OPERATOR and core.spelled and core.text.startswith("!") and not core.macro:
            core = core.children[0].strip()
        if core.kind == K.BINARY_OPERATOR:
            found = self.operator_between(core)
            if found and (found[0] in NEIGHBOURS or found[0] in ("&&", "||")):
                return
        if re.fullmatch(r"\d+|true|false|TRUE|FALSE", n.text if n.spelled else "0"):
            return
        if self.once("negate", n):
            i = self.new("negate", n.start, n.text, f"!({n.text})", (n.start, n.end))
            self.wrap(n, "((!!(", f")) ^ wedr_m({i}))", 6, i)

    def compound_assign(self, n):
        if len(n.children) == 2 and self.countable(n.children[1]) and n.children[0].type.get_canonical().kind in (
                INTS | {TypeKind.POINTER}) and re.search(r"[+-]=\s*$", self.s.bare[n.children[0].end:n.children[1].start]):
            self.step(n.children[1])

    def assigned(self, left, right):
        if left.spelled and LENGTH.search(left.text.split("->")[-1].split(".")[-1]) and self.countable(right):
            self.step(right, self.steps_for(right))

    def subscript(self, n):
        if len(n.children) == 2 and self.countable(n.children[1]):
            self.step(n.children[1], self.steps_for(n.children[1]))

    def call(self, n):
        if LOCKISH.search(n.cursor.spelling or ""):
            return
        for c in n.children[1:]:
            arg = c.peel()
            if arg.spelled and self.countable(arg) and not NOT_INTEGER.search(c.type.spelling):
                self.step(arg, self.steps_for(arg))

    def ternary(self, n):
        if n.children and not n.macro:
            self.condition(n.children[0])

    # -- constants --
    def constant(self, n, name):
        if STATUS.match(name):
            self.status(n, name)
            return
        options = []
        ref = n.strip().cursor.referenced if n.strip().kind == K.DECL_REF_EXPR else None
        if name in ("TRUE", "FALSE", "true", "false"):
            options = [{"TRUE": "FALSE", "FALSE": "TRUE", "true": "false", "false": "true"}[name]]
        elif BOUND_MACRO.search(name) or NOT_FLAG.search(name):
            return
        elif ref is not None and ref.kind == K.ENUM_CONSTANT_DECL:
            options = self.next_enumerator(ref)
        elif n.type.get_canonical().kind in INTS and n.macro:
            options = self.next_macro(name)
        if options:
            returned = bool(self.stack) and self.stack[-1].kind == K.RETURN_STMT
            self.choose("return" if returned and name.lower() in ("true", "false") else "constant", n, options)

    @staticmethod
    def next_enumerator(ref):
        members = [c for c in ref.semantic_parent.get_children() if c.kind == K.ENUM_CONSTANT_DECL]
        names = [c.spelling for c in members]
        i = names.index(ref.spelling)
        for k in range(1, len(names)):
            other = members[(i + k) % len(names)]
            if other.enum_value != ref.enum_value and not BOUND_MACRO.search(other.spelling):
                return [other.spelling]
        return []

    def next_macro(self, name):
        """Another of ours with the same first words and a value of its own; what the system defines becomes 0."""
        mine = self.s.value(name)
        other = "1" if mine == 0 else "0"
        if not self.s.is_ours(name, self.root):
            return [other] if re.fullmatch(r"[A-Z][A-Z0-9_]+", name) and not HARMLESS.search(name) else []
        prefix = name.rsplit("_", 1)[0] + "_"
        if prefix not in self.groups:
            self.groups[prefix] = [k for k in self.s.defined if k.startswith(prefix) and "_" not in k[len(prefix):] and
                                   self.s.is_ours(k, self.root) and self.s.value(k) != "" and
                                   not BOUND_MACRO.search(k) and not NOT_FLAG.search(k)]
        group = self.groups[prefix]
        at = group.index(name) if name in group else -1
        for k in range(1, len(group)):
            if self.s.value(group[(at + k) % len(group)]) != mine:
                return [group[(at + k) % len(group)]]
        return [other]

    def status(self, n, name):
        parent_return = (n.start, n.end) in self.done_returns
        good = name in GOOD
        nt = name.startswith("STATUS_")
        error = "((NTSTATUS)0xC0000001L)" if nt else "-77"
        if good:
            options = [] if parent_return else [error]
        else:
            other = "((NTSTATUS)0xC0000001L)" if nt and name != "STATUS_UNSUCCESSFUL" else "-77"
            options = [other] if parent_return else ["0", other]
        self.choose("status", n, options)

    # -- statements --
    def return_statement(self, n):
        if not n.children or not n.children[0].spelled:
            return
        e = n.children[0]
        kind, name = self.result.get_canonical().kind, self.result.spelling
        constant = self.constant_name(e)
        good = constant in GOOD
        status = "NTSTATUS" in name or (constant or "").startswith("WEDR_") and bool(STATUS.match(constant))
        core = e.strip()
        found = self.operator_between(core) if core.kind == K.BINARY_OPERATOR else None
        truth = NOT_INTEGER.search(name) and "NTSTATUS" not in name or bool(
            found and (found[0] in NEIGHBOURS or found[0] in ("&&", "||")))
        options = []
        if kind == TypeKind.POINTER:
            options = ["0"] if e.text not in ("NULL", "0") else []
        elif constant in ("TRUE", "FALSE", "true", "false"):
            options = []
        elif truth:
            options = ["!wr"] if not found else []
            if found is None:
                self.condition_done(e)
        elif status or (kind == TypeKind.INT and constant is None and (
                self.status_function or core.kind == K.CALL_EXPR)):
            bad = "(NTSTATUS)0xC0000001L" if "NTSTATUS" in name else "-77"
            options = [bad] if good else ["0"] if constant else ["0", bad]
        elif kind in INTS and self.countable(e):
            self.step(e, self.steps_for(e))
        if not options or not self.once("return", e):
            return
        if constant:
            self.done_returns.add((e.start, e.end))
        ids = [self.new("return", e.start, f"return {e.text}",
                        "return " + ("!(" + e.text + ")" if o == "!wr" else o)) for o in options]
        i = ids[0]
        chain = "".join(f"wedr_m({k}) ? ({o.replace('wr', f'wr{i}')}) : " for k, o in zip(ids, options))
        self.wrap(e, f"(__extension__({{ __auto_type wr{i} = (", f"); {chain}wr{i}; }}))", 2, *ids)

    def condition_done(self, e):
        self.done.add(("negate", e.start, e.end))

    def initialiser(self, n):
        """The child behind '=' of a local variable that is set at run time."""
        if n.cursor.storage_class == StorageClass.STATIC or not n.children:
            return None
        last = n.children[-1]
        if not last.spelled or not last.kind.is_expression():
            return None
        return last if self.s.bare[:last.start].rstrip().endswith("=") else None

    def variable(self, n):
        init = self.initialiser(n)
        if init is not None and init.kind != K.INIT_LIST_EXPR:
            self.assigned_name(n.cursor.spelling, init)

    def assigned_name(self, name, right):
        if LENGTH.search(name) and self.countable(right):
            self.step(right, self.steps_for(right))

    def init_list(self, n):
        for c in n.children:
            if c.kind == K.UNEXPOSED_EXPR and len(c.children) > 1 and c.children[0].kind == K.MEMBER_REF:
                value = c.children[-1]
                kind = value.type.get_canonical().kind
                if kind in INTS | {TypeKind.POINTER, TypeKind.ENUM, TypeKind.BOOL} and value.spelled and \
                        not re.fullmatch(r"0[uUlL]*|NULL|false|FALSE", value.text) and self.once("assign", value):
                    i = self.new("assign", value.start, f".{c.children[0].cursor.spelling} = {value.text}", "")
                    self.wrap(value, f"(wedr_m({i}) ? 0 : (", "))", 2, i)
                self.assigned_name(c.children[0].cursor.spelling, value)
            elif self.countable(c):
                self.step(c, self.steps_for(c))

    def if_statement(self, n):
        if n.children and not n.macro:
            self.condition(n.children[0])
        for c in n.children[1:]:
            self.statement(c)

    def while_statement(self, n):
        if len(n.children) == 2 and not n.macro:
            self.condition(n.children[0])
            self.statement(n.children[1])

    def do_statement(self, n):
        if len(n.children) == 2 and not n.macro:
            self.statement(n.children[0])
            self.condition(n.children[1])

    def for_statement(self, n):
        if not n.spelled or n.macro or not n.children:
            return
        body = n.children[-1]
        text, depth, cuts = self.s.bare, 0, []
        for at in range(text.index("(", n.start), body.start):
            depth += (text[at] in "([{") - (text[at] in ")]}")
            if text[at] == ";" and depth == 1:
                cuts.append(at)
        if len(cuts) != 2:
            return
        for c in n.children[:-1]:
            if c.spelled and cuts[0] < c.start < cuts[1]:
                self.condition(c)
            elif c.spelled and c.start < cuts[0]:
                self.loop_start(c)
        self.statement(body)

    def loop_start(self, n):
        self.stack.append(n)
        self.loop_steps(n)
        self.stack.pop()

    def loop_steps(self, n):
        if n.kind == K.DECL_STMT:
            for v in n.children:
                init = self.initialiser(v) if v.kind == K.VAR_DECL else None
                if init is not None and self.countable(init):
                    self.step(init, self.steps_for(init))
        elif n.kind == K.BINARY_OPERATOR:
            found = self.operator_between(n)
            if found and found[0] == "=" and self.countable(n.children[1]):
                self.step(n.children[1], self.steps_for(n.children[1]))

    def labelled(self, n):
        for c in n.children[-1:]:
            self.statement(c)

    def compound(self, n):
        for c in n.children:
            self.statement(c)
        self.order(n)

    def statement(self, n):
        """A call or an assignment that stands alone is left out."""
        if not n.spelled or n.kind in (K.COMPOUND_STMT, K.DECL_STMT, K.RETURN_STMT):
            return
        end = self.semicolon(n)
        if end is None:
            return
        m = CALL.match(n.text)
        if m and (n.kind.is_expression() or n.macro) and self.is_call(n):
            self.call_statement(n, m.group(1), end)
        elif n.kind in (K.BINARY_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR, K.UNARY_OPERATOR) and not n.macro:
            if self.stores(n) and self.once("assign", n):
                i = self.new("assign", n.start, n.text, "")
                self.guard(n, end, f"!wedr_m({i})", i)

    @staticmethod
    def is_call(n):
        core = n
        while core.kind in (K.UNEXPOSED_EXPR, K.CSTYLE_CAST_EXPR, K.PAREN_EXPR) and core.children:
            core = core.children[-1]
        return core.kind == K.CALL_EXPR or n.macro

    def semicolon(self, n):
        """Offset behind the ';' that ends the statement n."""
        m = re.compile(r"\s*;").match(self.s.bare, n.end)
        return m.end() if m else None

    def guard(self, n, end, condition, *ids, level=3):
        self.edits.append(Edit(n.start, end, f"{{ if ({condition}) {{ ", " } }", level, ids))

    def stores(self, n):
        """True for an assignment, ++ or -- to what outlives the function's own variables."""
        if n.kind == K.BINARY_OPERATOR:
            found = self.operator_between(n)
            if not found or found[0] != "=":
                return False
        elif n.kind == K.UNARY_OPERATOR and not re.search(r"^(\+\+|--)|(\+\+|--)$", n.text):
            return False
        target = n.children[0].strip()
        if target.kind in LVALUES:
            return True
        ref = target.cursor.referenced if target.kind == K.DECL_REF_EXPR else None
        return ref is not None and ref.kind == K.VAR_DECL and (ref.storage_class == StorageClass.STATIC or
                                                              ref.semantic_parent.kind == K.TRANSLATION_UNIT)

    def call_statement(self, n, name, end):
        if SILENT.search(name) or not self.once("drop", n):
            return
        if RELEASE_LOCK.search(name) or (ACQUIRE.search(name) and (LOCKISH.search(name))):
            acquire = not RELEASE_LOCK.search(name)
            i = self.new("lock", n.start, n.text, "")
            self.locks.append((self.function, acquire, self.lock_object(n.text, name), i, n, end))
            return
        operator = "pending" if name == "IoMarkIrpPending" else "release" if RELEASE.search(name) else "call"
        i = self.new(operator, n.start, n.text, "")
        self.guard(n, end, f"!wedr_m({i})", i)

    @staticmethod
    def lock_object(text, name):
        """What is locked: the first argument; a queue handle stands for the lock of its function."""
        arg = text[text.index("(", text.index(name)) + 1:].split(",")[0].strip(" )&;")
        return "" if re.search(r"in_?stack|handle", name, re.I) else arg

    def pair_locks(self):
        """One mutation for each acquire with its releases, within a function or, for lock helpers, within the file."""
        pairs, loose = [], {}
        for f, obj in dict.fromkeys((r[0], r[2]) for r in self.locks):
            rows = [r for r in self.locks if (r[0], r[2]) == (f, obj)]
            regions = []
            for r in rows:
                if r[1] or not regions:
                    regions.append([])
                regions[-1].append(r)
            for region in regions:
                if region[0][1] and len(region) > 1:
                    pairs.append(region)
                else:
                    loose.setdefault(obj, []).extend(region)
        for rows in loose.values():
            if any(r[1] for r in rows) and not all(r[1] for r in rows):
                pairs.append(rows)
        guards = {id(r): [r[3]] for r in self.locks}
        for rows in pairs:
            first = rows[0]
            self.function = first[0]
            i = self.new("lock", first[4].start, first[4].text, "(with its releases)")
            for r in rows:
                guards[id(r)].append(i)
        for r in self.locks:
            ids = guards[id(r)]
            condition = " && ".join(f"!wedr_m({i})" for i in ids)
            self.guard(r[4], r[5], condition, *ids)

    # -- order of statements --
    def order(self, n):
        run = []
        for c in [*n.children, None]:
            end = self.semicolon(c) if c is not None and c.spelled and c.kind.is_expression() else None
            if end is not None and (not run or not self.s.bare[run[-1][1]:c.start].strip()):
                run.append((c, end))
                continue
            self.order_run(run)
            run = [(c, end)] if end is not None else []

    def rank(self, c):
        m = CALL.match(c.text)
        if m and not SILENT.search(m.group(1)):
            name = m.group(1)
            return 2 if ORDERED.search(name) or RELEASE_LOCK.search(name) or RELEASE.search(name) or \
                (ACQUIRE.search(name) and LOCKISH.search(name)) else 0
        return 1 if c.kind == K.BINARY_OPERATOR and not c.macro and self.stores(c) else 0

    def order_run(self, run):
        i = 0
        while i + 1 < len(run):
            k = i
            while k + 1 < len(run) and self.rank(run[k][0]) + self.rank(run[k + 1][0]) >= 3 and \
                    run[k][0].text != run[k + 1][0].text:
                k += 1
            if k > i:
                self.swap(run[i:k + 1])
            i = max(k, i + 1)

    def swap(self, part):
        if not self.once("swap", part[0][0]):
            return
        ids = [self.new("swap", a.start, f"{a.text}; {b.text}", f"{b.text}; {a.text}")
               for (a, _), (b, _) in zip(part, part[1:])]
        n = len(part)
        head = f"for (int wo = 0; wo < {n}; wo++) switch (wedr_order({ids[0]}, {n}, wo)) {{ "
        self.edits.append(Edit(part[0][0].start, part[-1][1], head, "}", 0, tuple(ids)))
        for k, (c, end) in enumerate(part):
            self.edits.append(Edit(c.start, end, f"case {k}: ", " break; ", 1, tuple(ids)))

    # -- a file --
    def find(self):
        functions = self.s.scan()
        for n in functions:
            if not n.spelled:
                continue
            self.function, self.result = n.cursor.spelling, n.cursor.result_type
            self.done_returns = set()
            body = next((c for c in n.children if c.kind == K.COMPOUND_STMT), None)
            if body is None:
                continue
            self.status_function = bool(re.search(r"\breturn\s+(WEDR_OK|WEDR_E_|STATUS_)", body.text))
            self.visit(body)
        self.pair_locks()
        return self.mutants, self.edits
