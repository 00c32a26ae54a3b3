#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A second decoder of wire version 7, written from docs/wire.md alone: no line of it comes from schema.def.

wire_decode.py FILE.hex...    prints one JSON object per file: what the record says, or {"error": "..."}

In the result a text is a string, or {"text": ..., "flags": [...]} when the reference has flags, or {"hex": ...,
"flags": [...]} when its bytes are not valid; lists and byte strings likewise.
"""
import ipaddress
import json
import re
import struct
import sys

HEADER = struct.Struct("<HHIQqQIHBBHHI")
VERSION, RECORD_MAX = 7, 131072
OS = {1: "windows", 2: "linux"}
STREAMS = ("kernel.critical", "kernel.bulk", "agent", "alert")
CUT, HEAD_CUT, UTF16, UNREADABLE, NO_NAME, DELETED = 1, 2, 4, 8, 16, 32
FLAG_NAMES = ((CUT, "cut"), (HEAD_CUT, "head_cut"), (UNREADABLE, "unreadable"), (NO_NAME, "no_name"),
              (DELETED, "deleted"))
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i32": "<i", "i64": "<q", "time": "<q"}

REGISTRY_OPS = {1: "SetValue", 2: "DeleteValue", 3: "DeleteKey", 4: "RenameKey", 5: "CreateKey", 6: "LoadKey",
                7: "RestoreKey", 8: "ReplaceKey", 9: "SetSecurity"}
HANDLE_OPS = {1: "Open", 2: "Duplicate", 16: "Ptrace", 17: "VmRead", 18: "VmWrite", 19: "PidfdGetfd", 20: "ProcMem"}
FILE_OPS = {1: "Write", 2: "Create", 3: "Rename", 4: "Delete", 5: "Link", 6: "Symlink", 7: "Chmod", 8: "Chown",
            9: "Setxattr", 10: "Removexattr", 11: "Truncate"}
PROTOCOLS = {6: "tcp", 17: "udp"}
VIAS = {1: "io_uring", 2: "compat", 3: "handle"}
PATH_SOURCES = {1: "kernel", 2: "user", 3: "changed"}
MECHANISMS = {1: "cron", 2: "systemd", 3: "shell_profile", 4: "ssh", 5: "ld_preload", 6: "sudoers", 7: "pam", 8: "udev",
              9: "at", 10: "init", 11: "motd", 12: "kernel_modules", 13: "package_hook", 14: "autostart", 15: "account"}
KERNEL_OBJECTS = {1: "module", 2: "bpf_program"}
DNS_OPS = {1: "query", 2: "answer"}
CREDENTIAL_OPS = {1: "setuid", 2: "setgid", 3: "setgroups", 4: "capset", 5: "setfsid", 6: "user_namespace",
                  7: "unexplained"}
NAMESPACE_OPS = {1: "unshare", 2: "setns", 3: "clone"}
ACTIVITIES = {3: "module_load", 5: "thread_create", 6: "thread_exit", 10: "file_write", 11: "file_rename",
              12: "file_delete", 13: "network_connect", 14: "network_accept", 15: "dns_query", 16: "file_link",
              17: "file_attribute", 18: "network_close", 19: "network_listen", 23: "memfd_create",
              25: "io_uring_setup", 27: "memory_exec"}
LOSS_REASONS = {1: "ring_full", 2: "no_scratch", 3: "bpf_missed", 4: "ring_evicted", 5: "unread", 16: "malformed",
                17: "late", 18: "not_encodable", 19: "evicted", 20: "corrupt", 21: "poison", 22: "conflict",
                23: "reenrolled", 24: "rejected"}
GAP_REASONS = {1: "host_off", 2: "sensor_detached", 3: "sensor_stopped", 4: "sensor_failed",
               5: "events_dropped"}
SEVERITIES = {1: "informational", 2: "low", 3: "medium", 4: "high", 5: "critical"}
ACTIONS = {1: "kill"}
RESULTS = {1: "done", 2: "refused_by_policy", 3: "target_gone", 4: "protected", 5: "failed"}
LABELS = {"registry_op": REGISTRY_OPS, "handle_op": HANDLE_OPS, "file_op": FILE_OPS, "protocol": PROTOCOLS,
          "loss_reason": LOSS_REASONS, "gap_reason": GAP_REASONS, "severity": SEVERITIES, "action": ACTIONS,
          "result": RESULTS, "via": VIAS, "path_source": PATH_SOURCES, "mechanism": MECHANISMS,
          "kernel_object": KERNEL_OBJECTS, "dns_op": DNS_OPS, "credential_op": CREDENTIAL_OPS,
          "namespace_op": NAMESPACE_OPS, "activity": ACTIVITIES}
JSON_DEPTH = 24
FLAGS = {"exec_flags": ("memfd", "deleted", "no_name", "chrooted", "script", "fexecve", "setuid", "kernel_thread",
                        "compat"),
         "namespaces": ("mnt", "uts", "ipc", "user", "pid", "net", "cgroup", "time"),
         "map_flags": ("memfd", "deleted", "no_name", "writable", "anonymous", "mprotect", "stack", "heap")}


def layout(*rows):
    """((kind, names), ...) -> [(kind, name), ...] in the order of the wire."""
    return [(kind, name) for kind, names in rows for name in names.split()]


PROCESS_HEAD = (("u32", "pid parent_pid creating_pid"), ("key", "process_key parent_key"), ("str", "image_path"))
NETWORK = (("u32", "pid"), ("key", "process_key"), ("protocol", "protocol"), ("ip", "src_ip"), ("u16", "src_port"),
           ("ip", "dst_ip"), ("u16", "dst_port"))
DNS = (("u32", "pid"), ("key", "process_key"), ("str", "query_name"), ("u16", "query_type"), ("u32", "query_status"),
       ("list", "answers"))
WHO = (("u32", "pid"), ("key", "process_key"), ("u32", "uid"))
FILE = (("u64", "inode"), ("u32", "dev"))
HOW = (("path_source", "path_source"), ("via", "via"), ("u32", "nlink"))
FILE_TAIL = (("u32", "uid"), *FILE, *HOW, ("u32", "ns_mnt"))
SOCKET = (("u64", "socket_id"), ("u32", "ns_net"))
TUPLE = (("protocol", "protocol"), ("ip", "src_ip"), ("u16", "src_port"), ("ip", "dst_ip"), ("u16", "dst_port"))
RENAME = (("u32", "pid"), ("key", "process_key"), ("str", "target_path source_path"))
DELETE = (("u32", "pid"), ("key", "process_key"), ("str", "target_path"))
HANDLE = (("u32", "source_pid target_pid target_tid"), ("key", "source_key target_key"), ("handle_op", "op"))
THREAD_CREATE = layout(("u32", "pid tid creating_pid"), ("key", "process_key creating_key"))
THREAD_CREATE_WINDOWS = layout(("u32", "pid tid creating_pid"), ("key", "process_key creating_key"),
                               ("bool", "first_thread"))
THREAD_EXIT = layout(("u32", "pid tid"), ("key", "process_key"))
AGENT_START = layout(("str", "agent_version os_name os_release source"))
EPOCH_START = layout(("key", "epoch"), ("str", "stream"), ("bytes", "boot_id"), ("u64", "boot_ns"), ("time", "utc"),
                     ("bool", "adopted"))
EPOCH_END = layout(("key", "epoch"), ("str", "stream"), ("u64", "produced"), ("str", "reason"))
LOSS = layout(("key", "epoch"), ("str", "stream"), ("loss_reason", "reason"), ("u64", "lost produced"),
              ("str", "ranges"))
GAP = layout(("str", "stream"), ("time", "from to"), ("gap_reason", "reason"))
CLOCK = layout(("u64", "boot_ns"), ("time", "utc"), ("i64", "step_us"))

ALERT = layout(("str", "alert_id rule_id rule_title rule_language"), ("severity", "severity"), ("str", "message"),
               ("list", "tags actions"), ("time", "event_time"), ("u32", "pid"), ("key", "process_key"),
               ("str", "image_path command_line user entity"), ("u64", "suppressed match_count"),
               ("str", "rules_serial profile"), ("json", "evidence ancestry matched"))
RESPONSE = layout(("str", "alert_id rule_id"), ("action", "action"), ("u32", "pid"), ("key", "process_key"),
                  ("result", "result"), ("str", "detail"), ("u64", "duration_us"))

SENSOR_STATE = layout(("str", "source level"), ("list", "hooks_live hooks_missing"), ("str", "reason"))
PROCESS_IMAGE = layout(("u32", "pid"), ("key", "process_key"), ("str", "image_path sha256"), ("u64", "size"),
                       ("str", "package package_version build_id interpreter"), ("u64", "inode"), ("u32", "dev"))

# (code, os): (event type, fixed size, fields)
TYPES = {
    (1, "linux"): ("process_create", 328, layout(
        *PROCESS_HEAD, ("argv", "command_line"),
        ("str", "parent_image_path cwd script_path comm tty cgroup_name cgroup_parent"),
        ("exec_flags", "exec_flags"),
        ("u32", "argv_size uid gid euid egid suid sgid fsuid fsgid login_uid pgid sid"),
        ("u64", "cap_effective cap_permitted cap_inheritable cap_bounding cap_ambient cgroup_id"),
        ("u32", "ns_pid_nr ns_user ns_pid ns_mnt ns_net ns_uts ns_ipc ns_cgroup"), ("u64", "exe_inode"),
        ("u32", "exe_dev exe_mode exe_nlink exe_uid"), ("u64", "exe_size"), ("i64", "exe_ctime_ns exe_mtime_ns"))),
    (1, "windows"): ("process_create", 125, layout(
        *PROCESS_HEAD, ("str", "command_line parent_image_path cwd user_sid"), ("u32", "integrity_level session_id"),
        ("bool", "elevated"))),
    (2, "linux"): ("process_terminate", 93, layout(
        ("u32", "pid"), ("i32", "exit_code"), ("key", "process_key parent_key"), ("u32", "parent_pid uid signal"),
        ("bool", "core_dumped"), ("str", "comm"))),
    (2, "windows"): ("process_terminate", 64, layout(("u32", "pid"), ("i32", "exit_code"), ("key", "process_key"))),
    (3, "linux"): ("module_load", 122, layout(
        ("u32", "pid"), ("key", "process_key"), ("u64", "image_base image_size"), ("str", "image_path"),
        *FILE, ("u32", "nlink uid"), ("map_flags", "map_flags"), ("kernel_object", "kernel_object"),
        ("str", "object_name"), ("u32", "bpf_type"))),
    (3, "windows"): ("module_load", 88, layout(
        ("u32", "pid"), ("key", "process_key"), ("u64", "image_base image_size"), ("str", "image_path"),
        ("u32", "signature_level"))),
    (4, "windows"): ("registry_write", 114, layout(
        ("u32", "pid"), ("key", "process_key"), ("registry_op", "op"), ("u32", "value_type data_size"),
        ("i32", "status"), ("str", "key_path value_name new_name"), ("bytes", "data_preview"), ("str", "source_file"))),
    (5, "linux"): ("thread_create", 76, THREAD_CREATE),
    (5, "windows"): ("thread_create", 77, THREAD_CREATE_WINDOWS),
    (6, "linux"): ("thread_exit", 64, THREAD_EXIT),
    (6, "windows"): ("thread_exit", 64, THREAD_EXIT),
    (7, "linux"): ("process_handle_access", 86, layout(*HANDLE, ("u32", "request"), ("i32", "result"))),
    (7, "windows"): ("process_handle_access", 94, layout(
        *HANDLE, ("u32", "desired_access original_desired_access duplicate_source_pid duplicate_target_pid"))),
    (8, "linux"): ("process_fork", 88, layout(
        ("u32", "pid parent_pid"), ("key", "process_key parent_key"), ("u32", "creating_pid uid"), ("str", "comm"))),
    (9, "linux"): ("persistence_write", 120, layout(
        ("u32", "pid"), ("key", "process_key"), ("u32", "uid"), ("file_op", "op"), ("str", "target_path source_path"),
        *FILE, ("mechanism", "mechanism"), *HOW, ("u32", "file_mode ns_mnt"), ("str", "xattr_name"))),
    (10, "linux"): ("file_write", 106, layout(
        ("u32", "pid"), ("key", "process_key"), ("file_op", "op"), ("str", "target_path"), ("u32", "uid open_flags"),
        *FILE, *HOW, ("u32", "file_mode ns_mnt"))),
    (10, "windows"): ("file_write", 70, layout(
        ("u32", "pid"), ("key", "process_key"), ("file_op", "op"), ("str", "target_path"))),
    (11, "linux"): ("file_rename", 104, layout(*RENAME, *FILE_TAIL)),
    (11, "windows"): ("file_rename", 76, layout(*RENAME)),
    (12, "linux"): ("file_delete", 96, layout(*DELETE, *FILE_TAIL)),
    (12, "windows"): ("file_delete", 68, layout(*DELETE)),
    (13, "linux"): ("network_connect", 122, layout(*NETWORK, ("u32", "uid"), ("i32", "result"), ("via", "via"), *SOCKET)),
    (13, "windows"): ("network_connect", 100, layout(*NETWORK)),
    (14, "linux"): ("network_accept", 118, layout(*NETWORK, ("u32", "uid"), ("via", "via"), *SOCKET)),
    (14, "windows"): ("network_accept", 100, layout(*NETWORK)),
    (15, "linux"): ("dns_query", 123, layout(
        *DNS, ("ip", "dst_ip"), ("u32", "uid"), ("dns_op", "dns_op"), ("protocol", "protocol"), ("u64", "socket_id"),
        ("bytes", "payload"))),
    (15, "windows"): ("dns_query", 82, layout(*DNS)),
    (16, "linux"): ("file_link", 106, layout(
        *WHO, ("file_op", "op"), ("str", "target_path source_path"), *FILE, *HOW, ("u32", "ns_mnt"))),
    (17, "linux"): ("file_attribute", 118, layout(
        *WHO, ("file_op", "op"), ("str", "target_path"), ("u32", "file_mode owner_uid owner_gid"),
        ("str", "xattr_name"), *FILE, *HOW, ("u32", "ns_mnt"))),
    (18, "linux"): ("network_close", 141, layout(
        *WHO, *TUPLE, ("u64", "bytes_sent bytes_received duration_us"), ("bool", "incoming"), *SOCKET)),
    (19, "linux"): ("network_listen", 101, layout(
        *WHO, ("protocol", "protocol"), ("ip", "src_ip"), ("u16", "src_port"), ("u32", "backlog"), *SOCKET)),
    (20, "linux"): ("socket_create", 80, layout(*WHO, ("u32", "family socket_type socket_protocol ns_net"))),
    (21, "linux"): ("credential_change", 162, layout(
        *WHO, ("credential_op", "op"),
        ("u32", "old_uid old_euid euid old_suid suid old_fsuid fsuid old_gid gid old_egid egid old_sgid sgid old_fsgid "
                "fsgid"),
        ("u64", "old_cap_effective cap_effective old_cap_permitted cap_permitted"), ("u32", "ns_user"))),
    (22, "linux"): ("namespace_change", 114, layout(
        *WHO, ("namespace_op", "op"), ("namespaces", "changed"),
        ("u32", "ns_user ns_pid ns_mnt ns_net ns_uts ns_ipc ns_cgroup old_ns_user old_ns_pid old_ns_mnt old_ns_net"))),
    (23, "linux"): ("memfd_create", 84, layout(*WHO, ("str", "name"), ("u32", "memfd_flags"), ("u64", "inode"))),
    (24, "linux"): ("process_signal", 88, layout(
        *WHO, ("u32", "target_pid"), ("key", "target_key"), ("u32", "target_uid signal"), ("i32", "result"))),
    (25, "linux"): ("io_uring_setup", 72, layout(*WHO, ("u32", "entries setup_flags"))),
    (26, "linux"): ("compat_call", 68, layout(*WHO, ("u32", "syscall_number"))),
    (27, "linux"): ("memory_exec", 96, layout(
        *WHO, ("u64", "address size"), ("u32", "prot"), ("map_flags", "map_flags"), ("str", "image_path"))),
    (28, "linux"): ("activity_summary", 90, layout(
        *WHO, ("activity", "activity"), ("u64", "count from_ns to_ns"))),
}
for _code, _name, _size, _fields in ((64, "agent_start", 80, AGENT_START), (65, "epoch_start", 89, EPOCH_START),
                                     (66, "epoch_end", 80, EPOCH_END), (67, "telemetry_loss", 90, LOSS),
                                     (68, "coverage_gap", 74, GAP), (69, "clock_change", 72, CLOCK),
                                     (70, "alert", 214, ALERT), (71, "response", 96, RESPONSE),
                                     (72, "sensor_state", 88, SENSOR_STATE), (73, "process_image", 128, PROCESS_IMAGE)):
    for _os in ("linux", "windows"):
        TYPES[_code, _os] = (_name, _size, _fields)


class Refused(Exception):
    """The record breaks a rule of docs/wire.md: "again", "version" or "format"."""


def need(ok):
    if not ok:
        raise Refused("format")


def no_constant(_):
    raise ValueError


def is_json(data):
    """One array or object, no control characters, no blanks between tokens, not too deep."""
    try:
        plain = data.decode("utf-8")
        if not plain or plain[0] not in "[{" or any(c < " " for c in plain):
            return False
        json.loads(plain, parse_constant=no_constant, parse_int=str, parse_float=str)
    except ValueError:
        return False
    depth = deepest = 0
    for c in re.sub(r'"(?:[^"\\]|\\.)*"', "", plain):
        if c == " ":
            return False
        depth += (c in "[{") - (c in "]}")
        deepest = max(deepest, depth)
    return deepest <= JSON_DEPTH


def reference(rec, at, fixed, kind):
    """(bytes, flags) of a string reference."""
    offset, length, flags = struct.unpack_from("<IHH", rec, at)
    need(flags & ~{"bytes": CUT | UNREADABLE, "json": 0}.get(kind, 0x3f) == 0)
    if length == 0:
        return b"", flags
    need(fixed <= offset and offset + length <= len(rec))
    need(not flags & UTF16 or length % 2 == 0)
    data = rec[offset:offset + length]
    if kind == "str":
        units = struct.unpack(f"<{length // 2}H", data) if flags & UTF16 else data
        need(0 not in units)
    if kind == "json":
        need(is_json(data))
    return data, flags


def split(data, flags):
    """Parts of a NUL-separated list; the last NUL may be missing."""
    step = 2 if flags & UTF16 else 1
    parts, start = [], 0
    for i in range(0, len(data), step):
        if data[i:i + step] == b"\0" * step:
            parts.append(data[start:i])
            start = i + step
    if start < len(data):
        parts.append(data[start:])
    return parts


def text(data, flags):
    """The text, or None when the bytes are not valid."""
    try:
        return data.decode("utf-16-le" if flags & UTF16 else "utf-8")
    except UnicodeDecodeError:
        return None


def string_value(data, flags, kind):
    names = [name for bit, name in FLAG_NAMES if flags & bit]
    if kind == "bytes":
        return {"hex": data.hex(), "flags": names} if names else data.hex()
    if kind in ("argv", "list"):
        parts = [text(p, flags) for p in split(data, flags)]
        if None not in parts:
            return {"list": parts, "flags": names} if names else parts
    else:
        plain = text(data, flags)
        if plain is not None:
            return {"text": plain, "flags": names} if names else plain
    return {"hex": data.hex(), "flags": names}


def ip_value(raw):
    family, address = raw[0], raw[1:]
    if family == 6:
        return str(ipaddress.IPv6Address(address))
    need(family in (0, 4) and not any(address[family:]))
    return str(ipaddress.IPv4Address(address[:4])) if family == 4 else None


def flag_value(known, bits):
    names = [name for i, name in enumerate(known) if bits >> i & 1]
    rest = bits >> len(known) << len(known)
    return names + ([rest] if rest else [])


def field(rec, at, fixed, kind):
    """(value, bytes used in the fixed part)"""
    if kind in NUMBERS:
        s = struct.Struct(NUMBERS[kind])
        return s.unpack_from(rec, at)[0], s.size
    if kind == "key":
        return f"{struct.unpack_from('<Q', rec, at)[0]:016x}", 8
    if kind == "bool":
        need(rec[at] <= 1)
        return rec[at] == 1, 1
    if kind == "ip":
        return ip_value(rec[at:at + 17]), 17
    if kind in FLAGS:
        return flag_value(FLAGS[kind], struct.unpack_from("<I", rec, at)[0]), 4
    if kind in LABELS:
        number = struct.unpack_from("<H", rec, at)[0]
        return LABELS[kind].get(number, number), 2
    return string_value(*reference(rec, at, fixed, kind), kind), 8


def decode(data):
    """The record at the start of data as a dictionary; raises Refused."""
    if len(data) < 2:
        raise Refused("again")
    if struct.unpack_from("<H", data)[0] != VERSION:
        raise Refused("version")
    if len(data) < HEADER.size:
        raise Refused("again")
    (_, code, size, seq, time, drops, cuts, fixed, os_code, stream, flags, zero1, zero2) = HEADER.unpack_from(data)
    need(HEADER.size <= size <= RECORD_MAX)
    if size > len(data):
        raise Refused("again")
    if (code, OS.get(os_code)) not in TYPES:
        raise Refused("version")
    rec = data[:size]
    name, known, fields = TYPES[code, OS[os_code]]
    need(known <= fixed <= size and zero1 == 0 and zero2 == 0 and flags & ~1 == 0 and stream < len(STREAMS))
    need(seq != 0 or code >= 64)
    values, at = {}, HEADER.size
    for kind, field_name in fields:
        values[field_name], used = field(rec, at, fixed, kind)
        at += used
    if at != known:
        raise AssertionError(f"layout of {name} on {OS[os_code]} ends at {at}, not {known}")
    return {"type": name, "os": OS[os_code], "size": size, "seq": seq, "time": time, "drop_count": drops,
            "trunc_count": cuts, "fixed_size": fixed, "stream": STREAMS[stream], "existing": bool(flags & 1),
            "fields": values}


def read_hex(path):
    """Bytes of a .hex file: hex digits, blanks ignored, '#' begins a comment."""
    with open(path, encoding="utf-8") as f:
        return bytes.fromhex("".join(line.split("#")[0] for line in f))


def main():
    for path in sys.argv[1:]:
        try:
            print(json.dumps(decode(read_hex(path)), ensure_ascii=False))
        except Refused as e:
            print(json.dumps({"error": str(e)}))


if __name__ == "__main__":
    main()
