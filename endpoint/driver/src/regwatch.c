/* SPDX-License-Identifier: Apache-2.0
 * Lower case; `*` stands for one component (a control set, a SID below \registry\user, a class) or
 * for the rest of one. Each list is tried only for keys of its hive. What each key is for:
 * MITRE ATT&CK T1547, T1546, T1543.003, T1556, T1562, T1112 and Microsoft's documentation of
 * Autoruns locations. */
#include "regwatch.h"

struct hive {
    const char *root;
    const char *const *keys;
};

#define CONTROL "*\\control\\"
#define SERVICES "*\\services"

static const char *const system_keys[] = {
    SERVICES,
    CONTROL "safeboot",
    CONTROL "lsa",
    CONTROL "securityproviders", /* WDigest, SSPs */
    CONTROL "session manager",   /* BootExecute, AppCertDlls, KnownDLLs, Environment, Execute */
    CONTROL "print\\monitors",
    CONTROL "print\\providers",
    CONTROL "print\\environments",
    CONTROL "networkprovider",
    CONTROL "terminal server",
    CONTROL "bootverificationprogram",
    CONTROL "servicecontrolmanagerextension",
    CONTROL "ci\\config",
    CONTROL "deviceguard",
    CONTROL "wmi\\autologger", /* event tracing that defenders rely on */
    CONTROL "keyboard layouts",
    "setup\\cmdline",
    NULL};

#define WINDOWS "microsoft\\windows\\currentversion\\"
#define WINDOWS_NT "microsoft\\windows nt\\currentversion\\"
#define WOW "wow6432node\\"

static const char *const software_keys[] = {
    WINDOWS "run",
    WINDOWS "runonce",
    WINDOWS "runonceex",
    WINDOWS "runservices",
    WINDOWS "runservicesonce",
    WINDOWS "policies\\explorer\\run",
    WINDOWS "policies\\system",
    WINDOWS "explorer\\shellserviceobjects",
    WINDOWS "explorer\\shellexecutehooks",
    WINDOWS "explorer\\sharedtaskscheduler",
    WINDOWS "explorer\\browser helper objects",
    WINDOWS "explorer\\user shell folders",
    WINDOWS "explorer\\shell folders",
    WINDOWS "shellserviceobjectdelayload",
    WINDOWS "app paths",
    WINDOWS "authentication\\credential providers",
    WINDOWS "authentication\\credential provider filters",
    WINDOWS "authentication\\plap providers",
    WINDOWS "group policy\\scripts",
    WINDOWS "winevt\\channels",
    WINDOWS_NT "image file execution options",
    WINDOWS_NT "silentprocessexit",
    WINDOWS_NT "winlogon",
    WINDOWS_NT "windows", /* AppInit_DLLs, Load, Run */
    WINDOWS_NT "drivers32",
    WINDOWS_NT "aedebug",
    WINDOWS_NT "appcompatflags\\custom",
    WINDOWS_NT "appcompatflags\\installedsdb",
    WINDOWS_NT "schedule\\taskcache",
    WINDOWS_NT "svchost",
    WINDOWS_NT "terminal server\\install",
    WINDOWS_NT "time providers",
    WINDOWS_NT "profilelist",
    WINDOWS_NT "font drivers",
    WINDOWS_NT "inifilemapping",
    "microsoft\\active setup\\installed components",
    "microsoft\\netsh",
    "microsoft\\command processor",
    "microsoft\\cryptography\\oid",
    "microsoft\\cryptography\\providers",
    "microsoft\\cryptography\\offload",
    "microsoft\\amsi\\providers",
    "microsoft\\office\\*\\*\\addins",
    "microsoft\\office test",
    "microsoft\\internet explorer\\extensions",
    "microsoft\\internet explorer\\urlsearchhooks",
    "microsoft\\powershell\\*\\shellids",
    "microsoft\\windows script host\\settings",
    "microsoft\\windows defender",
    "microsoft\\windows defender security center",
    "microsoft\\windows advanced threat protection",
    "microsoft\\security center",
    "microsoft\\wbem\\ess",
    "microsoft\\.netframework", /* COR_PROFILER */
    "microsoft\\ole",
    "microsoft\\systemcertificates\\root",
    "microsoft\\systemcertificates\\authroot",
    "microsoft\\enterprisecertificates\\root",
    "policies\\microsoft\\windows defender",
    "policies\\microsoft\\windowsfirewall",
    "policies\\microsoft\\windows\\system\\scripts",
    "policies\\microsoft\\windows\\powershell",
    "policies\\microsoft\\windows\\deviceguard",
    "policies\\microsoft\\windows\\safer",
    "policies\\microsoft\\windows\\srpv2", /* AppLocker */
    "policies\\microsoft\\windows\\eventlog",
    "policies\\microsoft\\windows nt\\terminal services",
    "policies\\microsoft\\systemcertificates",
    "classes\\clsid\\*\\inprocserver32",
    "classes\\clsid\\*\\localserver32",
    "classes\\clsid\\*\\treatas",
    "classes\\clsid\\*\\scriptleturl",
    "classes\\*\\shell\\*\\command",
    "classes\\*\\shellex\\contextmenuhandlers",
    "classes\\protocols\\filter",
    "classes\\protocols\\handler",
    "classes\\htafile",
    WOW "microsoft\\windows\\currentversion\\run",
    WOW "microsoft\\windows\\currentversion\\runonce",
    WOW "microsoft\\windows\\currentversion\\runonceex",
    WOW "microsoft\\windows\\currentversion\\policies\\explorer\\run",
    WOW "microsoft\\windows\\currentversion\\explorer\\browser helper objects",
    WOW "microsoft\\windows\\currentversion\\explorer\\shellexecutehooks",
    WOW "microsoft\\windows\\currentversion\\shellserviceobjectdelayload",
    WOW "microsoft\\windows nt\\currentversion\\image file execution options",
    WOW "microsoft\\windows nt\\currentversion\\winlogon",
    WOW "microsoft\\windows nt\\currentversion\\windows",
    WOW "microsoft\\windows nt\\currentversion\\drivers32",
    WOW "microsoft\\windows nt\\currentversion\\aedebug",
    WOW "microsoft\\active setup\\installed components",
    WOW "microsoft\\command processor",
    WOW "microsoft\\.netframework",
    WOW "microsoft\\office\\*\\*\\addins",
    "classes\\" WOW "clsid\\*\\inprocserver32",
    "classes\\" WOW "clsid\\*\\localserver32",
    NULL};

/* Below the user's key. */
#define USER "*\\"
#define USER_WINDOWS USER "software\\" WINDOWS
#define USER_WINDOWS_NT USER "software\\" WINDOWS_NT

static const char *const user_keys[] = {
    USER_WINDOWS "run", USER_WINDOWS "runonce", USER_WINDOWS "runonceex",
    USER_WINDOWS "runservices", USER_WINDOWS "runservicesonce",
    USER_WINDOWS "policies\\explorer\\run", USER_WINDOWS "policies\\system",
    USER_WINDOWS "explorer\\user shell folders", USER_WINDOWS "explorer\\shell folders",
    USER_WINDOWS "app paths", USER_WINDOWS_NT "winlogon", USER_WINDOWS_NT "windows",
    USER "software\\microsoft\\command processor", USER "software\\microsoft\\office\\*\\*\\addins",
    USER "software\\microsoft\\office test",
    USER "software\\microsoft\\windows script host\\settings",
    USER "software\\microsoft\\ctf\\langbaraddin",
    USER "software\\classes\\clsid\\*\\inprocserver32",
    USER "software\\classes\\clsid\\*\\localserver32", USER "software\\classes\\clsid\\*\\treatas",
    USER "software\\classes\\*\\shell\\*\\command",
    USER "software\\wow6432node\\microsoft\\windows\\currentversion\\run",
    USER "software\\wow6432node\\microsoft\\windows\\currentversion\\runonce",
    USER "software\\policies\\microsoft\\windows\\system\\scripts",
    USER "software\\policies\\microsoft\\windows\\control panel\\desktop",
    USER "software\\policies\\microsoft\\windows\\powershell",
    USER "environment",            /* UserInitMprLogonScript, COR_PROFILER_PATH */
    USER "control panel\\desktop", /* SCRNSAVE.EXE */
    USER "control panel\\cpls",
    /* <SID>_Classes hangs beside the user's hive, not in it. */
    USER "clsid\\*\\inprocserver32", USER "clsid\\*\\localserver32", USER "clsid\\*\\treatas",
    USER "*\\shell\\*\\command", NULL};

static const char *const sam_keys[] = {"sam\\domains\\account\\users", NULL};

static const struct hive hives[] = {
    {"\\registry\\machine\\system", system_keys},
    {"\\registry\\machine\\software", software_keys},
    {"\\registry\\user", user_keys},
    {"\\registry\\machine\\sam", sam_keys},
};

bool wedr_regwatch_has(const struct wedr_keyname *name)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(hives); i++) {
        size_t root = wedr_keypath_match(hives[i].root, name, 0);

        if (root > 0) {
            for (const char *const *key = hives[i].keys; *key; key++) {
                if (wedr_keypath_match(*key, name, root + 1) > 0) {
                    return true;
                }
            }
            return false;
        }
    }
    return false;
}
