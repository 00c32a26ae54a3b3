/* SPDX-License-Identifier: Apache-2.0
 * Three levels, so that a key that is of no interest fails after a few comparisons: the hive, then
 * the heads that many keys share, then what lies below a head. Lower case; `*` stands for one
 * component (a control set, a SID below \registry\user, a class) or for the rest of one. What each
 * key is for: MITRE ATT&CK T1547, T1546, T1543.003, T1556, T1562, T1112 and Microsoft's
 * documentation of Autoruns locations. */
#include "regwatch.h"

struct place {
    const char *head;        /* below the hive, no backslash behind it; "" for the hive itself */
    const char *const *keys; /* below the head; ended by NULL */
};

struct hive {
    const char *root;
    const struct place *places; /* ended by head NULL */
};

static const char *const control_keys[] = {
    "safeboot",
    "lsa",
    "securityproviders", /* WDigest, SSPs */
    "session manager",   /* BootExecute, AppCertDlls, KnownDLLs, Environment, Execute */
    "print\\monitors",
    "print\\providers",
    "print\\environments",
    "networkprovider",
    "terminal server",
    "bootverificationprogram",
    "servicecontrolmanagerextension",
    "ci\\config",
    "deviceguard",
    "wmi\\autologger", /* event tracing that defenders rely on */
    "keyboard layouts",
    NULL};
static const char *const control_set_keys[] = {"services", NULL};
static const char *const system_keys[] = {"setup", NULL}; /* CmdLine */
static const struct place system_places[] = {
    {"*\\control", control_keys}, {"*", control_set_keys}, {"", system_keys}, {NULL, NULL}};

/* Below microsoft\windows\currentversion. */
static const char *const windows_keys[] = {"run",
                                           "runonce",
                                           "runonceex",
                                           "runservices",
                                           "runservicesonce",
                                           "policies\\explorer\\run",
                                           "policies\\system",
                                           "explorer\\shellserviceobjects",
                                           "explorer\\shellexecutehooks",
                                           "explorer\\sharedtaskscheduler",
                                           "explorer\\browser helper objects",
                                           "explorer\\user shell folders",
                                           "explorer\\shell folders",
                                           "shellserviceobjectdelayload",
                                           "app paths",
                                           "authentication\\credential providers",
                                           "authentication\\credential provider filters",
                                           "authentication\\plap providers",
                                           "group policy\\scripts",
                                           "winevt\\channels",
                                           NULL};
/* Below microsoft\windows nt\currentversion. */
static const char *const windows_nt_keys[] = {"image file execution options",
                                              "silentprocessexit",
                                              "winlogon",
                                              "windows", /* AppInit_DLLs, Load, Run */
                                              "drivers32",
                                              "aedebug",
                                              "appcompatflags\\custom",
                                              "appcompatflags\\installedsdb",
                                              "schedule\\taskcache",
                                              "svchost",
                                              "terminal server\\install",
                                              "time providers",
                                              "profilelist",
                                              "font drivers",
                                              "inifilemapping",
                                              NULL};
static const char *const microsoft_keys[] = {"active setup\\installed components",
                                             "netsh",
                                             "command processor",
                                             "cryptography\\oid",
                                             "cryptography\\providers",
                                             "cryptography\\offload",
                                             "amsi\\providers",
                                             "office\\*\\*\\addins",
                                             "office test",
                                             "internet explorer\\extensions",
                                             "internet explorer\\urlsearchhooks",
                                             "powershell\\*\\shellids",
                                             "windows script host\\settings",
                                             "windows defender",
                                             "windows defender security center",
                                             "windows advanced threat protection",
                                             "security center",
                                             "wbem\\ess",
                                             ".netframework", /* COR_PROFILER */
                                             "ole",
                                             "systemcertificates\\root",
                                             "systemcertificates\\authroot",
                                             "enterprisecertificates\\root",
                                             NULL};
/* Below policies\microsoft. */
static const char *const policy_keys[] = {"windows defender",
                                          "windowsfirewall",
                                          "windows\\system\\scripts",
                                          "windows\\powershell",
                                          "windows\\deviceguard",
                                          "windows\\safer",
                                          "windows\\srpv2", /* AppLocker */
                                          "windows\\eventlog",
                                          "windows\\control panel\\desktop",
                                          "windows nt\\terminal services",
                                          "systemcertificates",
                                          NULL};
static const char *const class_keys[] = {"clsid\\*\\inprocserver32",
                                         "clsid\\*\\localserver32",
                                         "clsid\\*\\treatas",
                                         "clsid\\*\\scriptleturl",
                                         "wow6432node\\clsid\\*\\inprocserver32",
                                         "wow6432node\\clsid\\*\\localserver32",
                                         "*\\shell\\*\\command",
                                         "*\\shellex\\contextmenuhandlers",
                                         "protocols\\filter",
                                         "protocols\\handler",
                                         "htafile",
                                         NULL};
static const struct place software_places[] = {
    {"microsoft\\windows\\currentversion", windows_keys},
    {"microsoft\\windows nt\\currentversion", windows_nt_keys},
    {"microsoft", microsoft_keys},
    {"policies\\microsoft", policy_keys},
    {"classes", class_keys},
    {"wow6432node\\microsoft\\windows\\currentversion", windows_keys},
    {"wow6432node\\microsoft\\windows nt\\currentversion", windows_nt_keys},
    {"wow6432node\\microsoft", microsoft_keys},
    {"wow6432node\\classes", class_keys},
    {NULL, NULL}};

static const char *const user_windows_nt_keys[] = {"winlogon", "windows", NULL};
static const char *const user_microsoft_keys[] = {
    "command processor", "office\\*\\*\\addins",
    "office test",       "windows script host\\settings",
    "ctf\\langbaraddin", NULL};
static const char *const user_own_keys[] = {"environment",            /* UserInitMprLogonScript */
                                            "control panel\\desktop", /* SCRNSAVE.EXE */
                                            "control panel\\cpls", NULL};
/* <SID>_Classes hangs beside the user's hive, not in it: the same keys as below software\classes.
 */
static const struct place user_places[] = {
    {"software\\microsoft\\windows\\currentversion", windows_keys},
    {"software\\microsoft\\windows nt\\currentversion", user_windows_nt_keys},
    {"software\\microsoft", user_microsoft_keys},
    {"software\\policies\\microsoft", policy_keys},
    {"software\\classes", class_keys},
    {"software\\wow6432node\\microsoft\\windows\\currentversion", windows_keys},
    {"", user_own_keys},
    {"", class_keys},
    {NULL, NULL}};

static const char *const account_keys[] = {"users", NULL};
static const struct place sam_places[] = {{"sam\\domains\\account", account_keys}, {NULL, NULL}};

static const struct hive hives[] = {
    {"\\registry\\machine\\software", software_places},
    {"\\registry\\machine\\system", system_places},
    {"\\registry\\user\\*", user_places},
    {"\\registry\\machine\\sam", sam_places},
};

/* Is one of the keys below the head that ends at unit `at`? */
static bool has_key(const char *const *keys, const struct wedr_keyname *name, size_t at)
{
    for (; *keys; keys++) {
        if (wedr_keypath_match(*keys, name, at + 1) > 0) {
            return true;
        }
    }
    return false;
}

static bool has_place(const struct place *p, const struct wedr_keyname *name, size_t root)
{
    for (; p->head; p++) {
        size_t at = p->head[0] ? wedr_keypath_match(p->head, name, root + 1) : root;

        if (at > 0 && has_key(p->keys, name, at)) {
            return true;
        }
    }
    return false;
}

bool wedr_regwatch_has(const struct wedr_keyname *name)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(hives); i++) {
        size_t root = wedr_keypath_match(hives[i].root, name, 0);

        if (root > 0) {
            return has_place(hives[i].places, name, root);
        }
    }
    return false;
}
