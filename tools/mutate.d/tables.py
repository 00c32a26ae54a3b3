# SPDX-License-Identifier: Apache-2.0
"""The operators, and by which names the finder knows what a call or a constant is about."""
import re

from clang.cindex import CursorKind as K
from clang.cindex import TypeKind

OPERATORS = {
    "lock": "an acquire with its releases, the acquire alone, a release alone is left out",
    "pending": "IoMarkIrpPending is left out",
    "compare": "a comparison becomes its neighbour or its opposite",
    "off1": "an index, a length, a bound, a start is one more or one less",
    "release": "a call that frees, releases, closes, removes or unregisters is left out",
    "swap": "two neighbouring statements that complete, queue, lock or commit change places",
    "status": "a status constant is another one: success for error, error for success, another error",
    "call": "any other call whose result nobody uses is left out",
    "negate": "a condition is its opposite",
    "logic": "&& is ||, || is &&",
    "assign": "an assignment to a field, an element or a module's variable is left out",
    "return": "a function returns success for error, error for success, the other truth, no pointer",
    "constant": "a flag, a lane, a reason, a state is another one of its kind",
}

ACQUIRE = re.compile(r"acquire|(^|_)(try_?)?lock(_|$)|EnterCritical", re.I)
RELEASE_LOCK = re.compile(r"release.*(lock|mutex|resource)|(lock|mutex|resource)_?release|(^|_)unlock(_|$)|LeaveCritical", re.I)
LOCKISH = re.compile(r"lock|mutex|resource|critical", re.I)
RELEASE = re.compile(r"free|release|dereference|unref|un_?register|remove|delete|close|destroy|(^|_)(fini|stop|undo)"
                     r"(_|$)|Remove\w*Routine", re.I)
ORDERED = re.compile(r"complete|insert|remove|push|commit|(^|_)(pop|park|cancel|take|lose|mark)|SetCancelRoutine|"
                     r"IrpPending|exchange|barrier", re.I)
SILENT = re.compile(r"assert|IRQL_MAX|UNREFERENCED|PAGED_CODE|va_(start|end)|__builtin_(unreachable|va_)", re.I)
LENGTH = re.compile(r"len|length|size|count|bytes|cap|offset|used|end|start|begin|index|slot|need|room|left|copied|first|"
                    r"last|next|depth|pos|max|min|(^|_)(at|n|i|j|k|max)$", re.I)
BOUND_MACRO = re.compile(r"_?(MAX|MIN|LEN|SIZE|COUNT|BYTES|SLOTS|LIMIT|CAP|DEPTH|CHARS)$")
HARMLESS = re.compile(r"_INCREMENT$|^NULL$")
NOT_FLAG = re.compile(r"(MAGIC|VERSION|TAG)$")
NOT_INTEGER = re.compile(r"\b(NTSTATUS|BOOLEAN|LOGICAL|KIRQL|_Bool|bool|ACCESS_MASK|HANDLE|KPROCESSOR_MODE)\b")
NEIGHBOURS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=", "<=", ">="),
              "!=": ("==", "<", ">")}
# What a flip does not do already to a bound on the right: `a < b` and `a < b - 1`.
BOUND_STEP = {"<": -1, "<=": 1, ">": 1, ">=": -1}
INTS = {TypeKind.INT, TypeKind.UINT, TypeKind.LONG, TypeKind.ULONG, TypeKind.LONGLONG, TypeKind.ULONGLONG, TypeKind.SHORT,
        TypeKind.USHORT, TypeKind.CHAR_U, TypeKind.UCHAR, TypeKind.CHAR_S, TypeKind.SCHAR, TypeKind.WCHAR}
UNSIGNED = {TypeKind.UINT, TypeKind.ULONG, TypeKind.ULONGLONG, TypeKind.USHORT, TypeKind.UCHAR, TypeKind.CHAR_U}
SKIP = {K.CXX_UNARY_EXPR, K.TYPE_REF, K.MEMBER_REF, K.LABEL_REF, K.ENUM_DECL, K.STRUCT_DECL, K.TYPEDEF_DECL,
        K.StmtExpr, K.ASM_STMT, K.MS_ASM_STMT, K.STATIC_ASSERT}
LVALUES = (K.MEMBER_REF_EXPR, K.ARRAY_SUBSCRIPT_EXPR, K.UNARY_OPERATOR)
CONTEXT = {K.BINARY_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR, K.CALL_EXPR, K.CONDITIONAL_OPERATOR, K.RETURN_STMT, K.VAR_DECL,
           K.ARRAY_SUBSCRIPT_EXPR, K.UNARY_OPERATOR, K.PAREN_EXPR, K.CSTYLE_CAST_EXPR, K.MEMBER_REF_EXPR,
           K.UNEXPOSED_EXPR, K.DECL_STMT}
CONTEXT_CHARS = 90
CALL = re.compile(r"^(?:\(void\)\s*)?([A-Za-z_]\w*)\s*\(")
STATUS = re.compile(r"^(STATUS_[A-Z0-9_]+|WEDR_OK|WEDR_E_[A-Z0-9_]+)$")
GOOD = ("STATUS_SUCCESS", "WEDR_OK")
