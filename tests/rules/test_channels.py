#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_channels.py WEDR_RULES: events of many Windows channels and clouds, with the names and the nesting that they really
have, match the rules that mean them, and those of a neighbour do not."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402

SYSMON = "Microsoft-Windows-Sysmon"
DEFENDER = "Microsoft-Windows-Windows Defender"


def event(channel, provider, number, data=None, user=None, qualifiers=None):
    """As evtx_dump writes it. user: (element, fields) of UserData."""
    system = {"Provider": {"#attributes": {"Name": provider, "Guid": "1C95126E-7EEA-49A9-A3FE-A378B03DDB4D"}},
              "EventID": number if qualifiers is None else {"#attributes": {"Qualifiers": qualifiers}, "#text": number},
              "Version": 0, "Level": 4, "Task": 0, "Opcode": 0, "Keywords": "0x8000000000000000",
              "TimeCreated": {"#attributes": {"SystemTime": "2025-12-06T21:11:02.649150Z"}}, "EventRecordID": 4,
              "Correlation": None, "Execution": {"#attributes": {"ProcessID": 3904, "ThreadID": 4272}}, "Channel": channel,
              "Computer": "desk", "Security": {"#attributes": {"UserID": "S-1-5-18"}}}
    out = {"#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}, "System": system}
    if user:
        out["UserData"] = {user[0]: {"#attributes": {"xmlns": "http://manifests.microsoft.com/win"}, **user[1]}}
    else:
        out["EventData"] = data
    return {"Event": out}


def defender(number, **fields):
    names = {k.replace("_", " "): v for k, v in fields.items()}
    return event(DEFENDER + "/Operational", DEFENDER, number, {"Product Name": "Microsoft Defender Antivirus", **names})


def cleared(log):
    return event("System", "Microsoft-Windows-Eventlog", 104,
                 user=("LogFileCleared", {"SubjectUserName": "ann", "SubjectDomainName": "D", "Channel": log, "BackupPath": ""}))


def power_shell(text):
    return event("Windows PowerShell", "PowerShell", 400, {"Data": {"#text": ["Available", "None", text]}, "Binary": None}, qualifiers=0)


def cloud_trail(name):
    return {"eventVersion": "1.08", "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann"}, "eventName": name,
            "eventTime": "2025-01-01T00:00:00Z", "eventSource": "cloudtrail.amazonaws.com", "awsRegion": "eu-west-1",
            "requestParameters": {"name": "trail"}, "responseElements": None}


def kubernetes(verb, what):
    return {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "1", "stage": "ResponseComplete", "verb": verb,
            "objectRef": {"resource": what, "namespace": "n", "apiVersion": "v1"}, "responseStatus": {"code": 200}}


def google(method):
    return {"logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity", "resource": {"type": "gce_firewall_rule"},
            "protoPayload": {"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "methodName": method,
                             "serviceName": "compute.googleapis.com"}}


def okta(kind):
    return {"eventType": kind, "published": "2025-01-01T00:00:00Z", "actor": {"alternateId": "ann@x", "type": "User"},
            "outcome": {"result": "SUCCESS"}, "target": [{"displayName": "a"}, {"displayName": "b"}]}


TASK = "\\Microsoft\\Windows\\UpdateOrchestrator\\Schedule Scan"
# (rule, event that matches, event that does not)
CASES = [
    ("a7c3e5f2-8b1d-4e9a-b6c2-3d7f5e8a9b4c",
     defender(1119, Source_Name="Real-Time Protection", Threat_Name="Virus:DOS/EICAR_Test_File", Process_Name="Unknown",
              Path="file:_C:\\Users\\a\\AppData\\Local\\Temp\\1\\RS-{2}\\TieringEngineService.exe"),
     defender(1119, Source_Name="User", Threat_Name="Virus:DOS/EICAR_Test_File", Process_Name="Unknown",
              Path="file:_C:\\Users\\a\\AppData\\Local\\Temp\\1\\RS-{2}\\TieringEngineService.exe")),
    ("ea9bf0fa-edec-4fb8-8b78-b119f2528186", defender(1116, Source_Name="AMSI"), defender(1116, Source_Name="System")),
    ("1321dc4e-a1fe-481d-a016-52c45f0c8b4f",
     defender(5007, Old_Value="", New_Value="HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions\\Paths\\C:\\x = 0x0"),
     defender(5007, New_Value="", Old_Value="HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions\\Paths\\C:\\x = 0x0")),
    ("a62b37e0-45d3-48d9-a517-90c1a1b0186b", cleared("Application"), cleared("Security")),
    ("100ef69e-3327-481c-8e5c-6d80d9507556", cleared("Security"), cleared("Application")),
    ("9e3cb244-bdb8-4632-8c90-6079c8f4f16d",
     event("Microsoft-Windows-TaskScheduler/Operational", "Microsoft-Windows-TaskScheduler", 141,
           {"#attributes": {"Name": "TaskDeleted"}, "TaskName": TASK, "UserName": "desk\\ann"}),
     event("Microsoft-Windows-TaskScheduler/Operational", "Microsoft-Windows-TaskScheduler", 141,
           {"#attributes": {"Name": "TaskDeleted"}, "TaskName": TASK, "UserName": "NT AUTHORITY\\SYSTEM"})),
    ("7595ba94-cf3b-4471-aa03-4f6baa9e5fad",
     event("Security", "Microsoft-Windows-Security-Auditing", 4699, {"SubjectUserName": "ann", "TaskName": TASK, "TaskContent": ""}),
     event("Security", "Microsoft-Windows-Security-Auditing", 4698, {"SubjectUserName": "ann", "TaskName": TASK, "TaskContent": ""})),
    ("e3c6d245-7b8f-4e2a-c17f-a9d0e5b38f62",
     event("Security", "Microsoft-Windows-Security-Auditing", 4648,
           {"SubjectUserName": "ann", "TargetUserName": "admin", "TargetServerName": "localhost", "TargetInfo": "localhost",
            "ProcessId": "0x1d4", "ProcessName": "C:\\Users\\ann\\runas.exe", "IpAddress": "-", "IpPort": "-"}),
     event("Security", "Microsoft-Windows-Security-Auditing", 4648,
           {"SubjectUserName": "ann", "TargetUserName": "ANN", "TargetServerName": "localhost", "TargetInfo": "localhost",
            "ProcessId": "0x1d4", "ProcessName": "C:\\Users\\ann\\runas.exe", "IpAddress": "-", "IpPort": "-"})),
    ("d4f1a2b3-7c8e-4d5f-b6a9-1e0c2d3f4e5b",
     event("Microsoft-Windows-WMI-Activity/Operational", "Microsoft-Windows-WMI-Activity", 5858,
           user=("Operation_ClientFailure", {"ClientMachine": "desk", "User": "desk\\ann", "ResultCode": "0x80041002", "Operation":
                 "Start IWbemServices::ExecMethod - root\\cimv2 : Win32_NTEventlogFile.Name=\"x\"::ClearEventlog"})),
     event("Microsoft-Windows-WMI-Activity/Operational", "Microsoft-Windows-WMI-Activity", 5858,
           user=("Operation_ClientFailure", {"Operation": "Start IWbemServices::ExecQuery - root\\cimv2 : x"}))),
    ("8ac03a65-6c84-4116-acad-dc1558ff7a77",
     event(SYSMON + "/Operational", SYSMON, 16, {"UtcTime": "2025-12-06 21:11:02.632", "Configuration": "C:\\s.xml",
                                                 "ConfigurationFileHash": "SHA256=00"}),
     event(SYSMON + "/Operational", SYSMON, 4, {"UtcTime": "2025-12-06 21:11:02.632", "State": "Started"})),
    ("4e64668a-4da1-49f5-a8df-9e2d5b866718",
     event("Microsoft-Windows-PrintService/Admin", "Microsoft-Windows-PrintService", 808,
           user=("LoadPluginFailed", {"PluginDllName": "C:\\x.dll", "ErrorCode": "0x45a", "Context": "13"})),
     event("Microsoft-Windows-PrintService/Admin", "Microsoft-Windows-PrintService", 808,
           user=("LoadPluginFailed", {"PluginDllName": "C:\\x.dll", "ErrorCode": "0x2", "Context": "13"}))),
    ("1d61f71d-59d2-479e-9562-4ff5f4ead16b",
     event("System", "Service Control Manager", 7045, {"ServiceName": "x", "ImagePath": "C:\\Temp\\a.exe"}, qualifiers=16384),
     event("System", "Service Control Manager", 7036, {"ServiceName": "x", "ImagePath": "C:\\Temp\\a.exe"}, qualifiers=16384)),
    ("6331d09b-4785-4c13-980f-f96661356249", power_shell("\tEngineVersion=2.0\r\n\tHostVersion=5.1"),
     power_shell("\tEngineVersion=2.0\r\n\tHostVersion=2.0")),
    ("64d51a51-32a6-49f0-9f3d-17e34d640272",
     event("Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", "Microsoft-Windows-TerminalServices-LocalSessionManager",
           21, user=("EventXML", {"User": "desk\\ann", "SessionID": 2, "Address": "::%16777216"})),
     event("Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", "Microsoft-Windows-TerminalServices-LocalSessionManager",
           21, user=("EventXML", {"User": "desk\\ann", "SessionID": 2, "Address": "LOCAL"}))),
    ("ebfe73c2-5bc9-4ed9-aaa8-8b54b2b4777d",
     event("Application", "MSSQL$DB", 18456, {"Data": ["sa", "Reason", " [CLIENT: 8.8.8.8]"], "Binary": "00"}, qualifiers=49152),
     event("Application", "MSSQL$DB", 18456, {"Data": ["sa", "Reason", " [CLIENT: 10.0.0.8]"], "Binary": "00"}, qualifiers=49152)),
    ("4db60cc0-36fb-42b7-9b58-a5b53019fb74", cloud_trail("StopLogging"), cloud_trail("StartLogging")),
    ("eeb3e9e1-b685-44e4-9232-6bb701f925b5", kubernetes("list", "secrets"), kubernetes("list", "pods")),
    ("fe513c69-734c-4d4a-8548-ac5f609be82b", google("v1.compute.firewalls.delete"), google("v1.compute.firewalls.get")),
    ("1667a172-ed4c-463c-9969-efd92195319a", okta("policy.lifecycle.update"), okta("policy.lifecycle.create")),
    ("16a71777-0b2e-4db7-9888-9d59cb75200b", {"@timestamp": 1, "action": "repo.destroy", "actor": "ann", "org": "o", "repo": "o/r"},
     {"@timestamp": 1, "action": "repo.create", "actor": "ann", "org": "o", "repo": "o/r"}),
    ("b02f9591-12c3-4965-986a-88028629b2e1",
     {"operationName": "MICROSOFT.KUBERNETES/CONNECTEDCLUSTERS/PODS/DELETE", "category": "Administrative", "resultType": "Success"},
     {"operationName": "MICROSOFT.KUBERNETES/CONNECTEDCLUSTERS/PODS/READ", "category": "Administrative", "resultType": "Success"}),
    ("e40f4962-b02b-4192-9bfe-245f7ece1f99",
     {"Type": "SigninLogs", "AuthenticationRequirement": "multiFactorAuthentication", "Status": "MFA denied; user declined"},
     {"Type": "SigninLogs", "AuthenticationRequirement": "multiFactorAuthentication", "Status": "MFA requirement satisfied"}),
    ("ff7139bc-fdb1-4437-92f2-6afefe8884cb", {"logtype": 4002, "node_id": "c", "src_host": "1.2.3.4"}, {"logtype": 4000, "node_id": "c"}),
]


def test_events_of_real_channels_match_the_rules_that_mean_them(lab):
    found = lab.scan(lab.rule_folders(), lab.put_events("yes.ndjson", [c[1] for c in CASES]))
    missed = [c[0] for i, c in enumerate(CASES) if i not in found.get(c[0], ())]
    assert not missed, missed


def test_their_neighbours_do_not(lab):
    found = lab.scan(lab.rule_folders(), lab.put_events("no.ndjson", [c[2] for c in CASES]))
    wrong = [c[0] for i, c in enumerate(CASES) if i in found.get(c[0], ())]
    assert not wrong, wrong


if __name__ == "__main__":
    lab_module.main(globals(), venv=False)
