# SPDX-License-Identifier: Apache-2.0
"""One Windows event in the forms that collectors write. A flat event has EventID, Channel and the names that rules use."""

SYSTEM = ["EventID", "Channel", "Computer", "Task", "Level", "Opcode", "Keywords", "Version", "EventRecordID"]
PROVIDER = "Provider_Name"
DUMPED = {"#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}}


def parts(flat):
    """(system, provider, data) of a flat event."""
    system = {k: flat[k] for k in SYSTEM if k in flat}
    return system, flat.get(PROVIDER), {k: v for k, v in flat.items() if k not in SYSTEM and k != PROVIDER}


def plain(flat):
    return flat


def flat_of(dumped):
    """The flat event of what evtx_dump wrote."""
    system, data = dumped["Event"]["System"], dumped["Event"]["EventData"]
    out = {k: system[k] for k in SYSTEM if k in system}
    return {**out, PROVIDER: system["Provider"]["#attributes"]["Name"], **data}


def source_name(flat):
    """NXLog: the provider is SourceName."""
    out = {k: v for k, v in flat.items() if k != PROVIDER}
    return dict(out, SourceName=flat[PROVIDER]) if PROVIDER in flat else out


def texts(flat):
    """Every scalar as text."""
    return {k: str(v) if isinstance(v, int) else v for k, v in flat.items()}


def nested(flat, attributes="#attributes", data=None):
    system, provider, fields = parts(flat)
    if provider is not None:
        name = {"#attributes": {"#attributes": {"Name": provider}}, "@": {"@Name": provider}, "": {"Name": provider}}
        system["Provider"] = name[attributes]
    return {"Event": {**DUMPED, "System": system, "EventData": data(fields) if data else fields}}


def nested_qualified(flat):
    """evtx_dump, where the event id has attributes."""
    out = nested(flat)
    out["Event"]["System"]["EventID"] = {"#attributes": {"Qualifiers": 0}, "#text": flat["EventID"]}
    return out


def pairs(name, value):
    def data(fields):
        flat = [(k, x) for k, v in fields.items() for x in (v if isinstance(v, list) else [v])]
        return {"Data": [{name: k, value: x} for k, x in flat]}
    return data


def nested_pairs(flat):
    """xmltodict."""
    return nested(flat, "@", pairs("@Name", "#text"))


def nested_named(flat):
    return nested(flat, "", pairs("Name", "#text"))


def nested_dumped_pairs(flat):
    """evtx_dump without its separate attributes."""
    def data(fields):
        flat_fields = [(k, x) for k, v in fields.items() for x in (v if isinstance(v, list) else [v])]
        return {"Data": [{"#attributes": {"Name": k}, "#text": x} for k, x in flat_fields]}
    return nested(flat, data=data)


def bare(flat):
    """System and EventData without Event around them."""
    inner = nested(flat, "@")["Event"]
    return {"System": inner["System"], "EventData": inner["EventData"]}


def winlogbeat(flat):
    """None for an event whose level or keywords count: this form has words for them."""
    system, provider, fields = parts(flat)
    if {"Level", "Keywords"} & set(system):
        return None
    log = {"event_id": system["EventID"], "channel": system["Channel"], "event_data": fields}
    log.update({"provider_name": provider} if provider is not None else {})
    log.update({"computer_name": system["Computer"]} if "Computer" in system else {})
    log.update({"task": system["Task"]} if "Task" in system else {})
    return {"@timestamp": "2024-01-01T00:00:00Z", "agent": {"type": "winlogbeat"}, "winlog": log}


def winlogbeat_dotted(flat):
    whole = winlogbeat(flat)
    if not whole:
        return None
    log = whole["winlog"]
    out = {f"winlog.event_data.{k}": v for k, v in log.pop("event_data").items()}
    return {**{f"winlog.{k}": v for k, v in log.items()}, **out}


ALL = [plain, source_name, texts, nested, nested_qualified, nested_pairs, nested_named, nested_dumped_pairs, bare, winlogbeat,
       winlogbeat_dotted]
# Sysmon's fields as the Elastic Common Schema has them, by event id: what the event is, {field: key}.
PROCESS = {"Image": "process.executable", "ProcessId": "process.pid", "User": "user.name"}
ECS = {
    1: ({"event.category": "process", "event.type": "start"},
        {**PROCESS, "CommandLine": "process.command_line", "CurrentDirectory": "process.working_directory",
         "ParentImage": "process.parent.executable", "ParentCommandLine": "process.parent.command_line",
         "OriginalFileName": "process.pe.original_file_name", "Description": "process.pe.description",
         "Product": "process.pe.product", "Company": "process.pe.company"}),
    7: ({"event.category": "library"},
        {**PROCESS, "ImageLoaded": "dll.path", "OriginalFileName": "dll.pe.original_file_name", "Signed": "dll.code_signature.signed"}),
    11: ({"event.category": "file", "event.type": "creation"}, {**PROCESS, "TargetFilename": "file.path"}),
    13: ({"event.category": "registry", "event.type": "change"},
         {**PROCESS, "TargetObject": "registry.path", "Details": "registry.data.strings"}),
}
# The same as our own sensors say it.
KEY = {"ProcessId": "raw.pid"}
ACTOR = {**KEY, "Image": "process.path"}
OWN = {
    1: ({"event_type": "process_create", "module": "kernel_callback"},
        {**KEY, "Image": "raw.image_path", "CommandLine": "raw.command_line", "ParentImage": "raw.parent_image_path",
         "CurrentDirectory": "raw.cwd", "IntegrityLevel": "raw.integrity_label", "ParentProcessId": "raw.parent_pid"}),
    7: ({"event_type": "module_load", "module": "kernel_callback", "raw.scope": "user"}, {**ACTOR, "ImageLoaded": "raw.image_path"}),
    11: ({"event_type": "file_write", "module": "kernel_callback", "raw.op": "Create"}, {**ACTOR, "TargetFilename": "raw.target_path"}),
    13: ({"event_type": "registry_write", "module": "kernel_callback", "raw.op": "SetValue"},
         {**ACTOR, "TargetObject": "raw.key_path", "Details": "raw.data_text"}),
}


def deep(pairs_of):
    """Dotted keys as objects."""
    out = {}
    for key, value in pairs_of.items():
        at = out
        *path, last = key.split(".")
        for p in path:
            at = at.setdefault(p, {})
        at[last] = value
    return out


def translated(flat, table, always):
    """(the flat event with only what the other form can say, the other form), or None."""
    if flat.get("Channel") != "Microsoft-Windows-Sysmon/Operational" or int(flat["EventID"]) not in table:
        return None
    head, names = table[int(flat["EventID"])]
    have = {f: flat[f] for f in names if f in flat}
    if not have:
        return None
    less = dict(have, EventID=flat["EventID"], Channel=flat["Channel"])
    return less, deep({**head, **always, **{names[f]: v for f, v in have.items()}})


def as_ecs(flat):
    return translated(flat, ECS, {"host.os.type": "windows"})


def as_own(flat):
    return translated(flat, OWN, {"ts_ft_100ns": 133000000000000000})
