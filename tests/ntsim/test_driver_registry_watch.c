/* SPDX-License-Identifier: Apache-2.0
 * Which registry keys are watched: the built-in ones, written here as they stand in a registry, and
 * those that the agent asked for. */
#include "driver_play.h"
#include "nt_probe.h"
#include <ctype.h>

#define SYSTEM "\\REGISTRY\\MACHINE\\SYSTEM\\"
#define SET1 SYSTEM "ControlSet001\\"
#define SOFTWARE "\\REGISTRY\\MACHINE\\SOFTWARE\\"
#define WINDOWS SOFTWARE "Microsoft\\Windows\\CurrentVersion\\"
#define WINDOWS_NT SOFTWARE "Microsoft\\Windows NT\\CurrentVersion\\"
#define WOW SOFTWARE "WOW6432Node\\"
#define POLICIES SOFTWARE "Policies\\Microsoft\\"
#define CLASSES SOFTWARE "Classes\\"
#define CLSID "{00021401-0000-0000-C000-000000000046}"
#define USER "\\REGISTRY\\USER\\S-1-5-21-1-2-3-1001\\"
#define USER_WINDOWS USER "Software\\Microsoft\\Windows\\CurrentVersion\\"
#define USER_CLASSES "\\REGISTRY\\USER\\S-1-5-21-1-2-3-1001_Classes\\"

static const char *const machine_keys[] = {
    SET1 "Services",
    SET1 "Control\\SafeBoot",
    SET1 "Control\\Lsa",
    SET1 "Control\\SecurityProviders",
    SET1 "Control\\Session Manager",
    SET1 "Control\\Print\\Monitors",
    SET1 "Control\\Print\\Providers",
    SET1 "Control\\Print\\Environments",
    SET1 "Control\\NetworkProvider",
    SET1 "Control\\Terminal Server",
    SET1 "Control\\BootVerificationProgram",
    SET1 "Control\\ServiceControlManagerExtension",
    SET1 "Control\\CI\\Config",
    SET1 "Control\\DeviceGuard",
    SET1 "Control\\WMI\\Autologger",
    SET1 "Control\\Keyboard Layouts",
    SYSTEM "Setup",
    WINDOWS "Run",
    WINDOWS "RunOnce",
    WINDOWS "RunOnceEx",
    WINDOWS "RunServices",
    WINDOWS "RunServicesOnce",
    WINDOWS "Policies\\Explorer\\Run",
    WINDOWS "Policies\\System",
    WINDOWS "Explorer\\ShellServiceObjects",
    WINDOWS "Explorer\\ShellExecuteHooks",
    WINDOWS "Explorer\\SharedTaskScheduler",
    WINDOWS "Explorer\\Browser Helper Objects",
    WINDOWS "Explorer\\User Shell Folders",
    WINDOWS "Explorer\\Shell Folders",
    WINDOWS "ShellServiceObjectDelayLoad",
    WINDOWS "App Paths",
    WINDOWS "Authentication\\Credential Providers",
    WINDOWS "Authentication\\Credential Provider Filters",
    WINDOWS "Authentication\\PLAP Providers",
    WINDOWS "Group Policy\\Scripts",
    WINDOWS "WINEVT\\Channels",
    WINDOWS_NT "Image File Execution Options",
    WINDOWS_NT "SilentProcessExit",
    WINDOWS_NT "Winlogon",
    WINDOWS_NT "Windows",
    WINDOWS_NT "Drivers32",
    WINDOWS_NT "AeDebug",
    WINDOWS_NT "AppCompatFlags\\Custom",
    WINDOWS_NT "AppCompatFlags\\InstalledSDB",
    WINDOWS_NT "Schedule\\TaskCache",
    WINDOWS_NT "Svchost",
    WINDOWS_NT "Terminal Server\\Install",
    WINDOWS_NT "Time Providers",
    WINDOWS_NT "ProfileList",
    WINDOWS_NT "Font Drivers",
    WINDOWS_NT "IniFileMapping",
    SOFTWARE "Microsoft\\Active Setup\\Installed Components",
    SOFTWARE "Microsoft\\NetSh",
    SOFTWARE "Microsoft\\Command Processor",
    SOFTWARE "Microsoft\\Cryptography\\OID",
    SOFTWARE "Microsoft\\Cryptography\\Providers",
    SOFTWARE "Microsoft\\Cryptography\\Offload",
    SOFTWARE "Microsoft\\AMSI\\Providers",
    SOFTWARE "Microsoft\\Office\\16.0\\Outlook\\Addins",
    SOFTWARE "Microsoft\\Office test",
    SOFTWARE "Microsoft\\Internet Explorer\\Extensions",
    SOFTWARE "Microsoft\\Internet Explorer\\UrlSearchHooks",
    SOFTWARE "Microsoft\\PowerShell\\1\\ShellIds",
    SOFTWARE "Microsoft\\Windows Script Host\\Settings",
    SOFTWARE "Microsoft\\Windows Defender",
    SOFTWARE "Microsoft\\Windows Defender Security Center",
    SOFTWARE "Microsoft\\Windows Advanced Threat Protection",
    SOFTWARE "Microsoft\\Security Center",
    SOFTWARE "Microsoft\\WBEM\\ESS",
    SOFTWARE "Microsoft\\.NETFramework",
    SOFTWARE "Microsoft\\Ole",
    SOFTWARE "Microsoft\\SystemCertificates\\ROOT",
    SOFTWARE "Microsoft\\SystemCertificates\\AuthRoot",
    SOFTWARE "Microsoft\\EnterpriseCertificates\\Root",
    POLICIES "Windows Defender",
    POLICIES "WindowsFirewall",
    POLICIES "Windows\\System\\Scripts",
    POLICIES "Windows\\PowerShell",
    POLICIES "Windows\\DeviceGuard",
    POLICIES "Windows\\Safer",
    POLICIES "Windows\\SrpV2",
    POLICIES "Windows\\EventLog",
    POLICIES "Windows NT\\Terminal Services",
    POLICIES "SystemCertificates",
    CLASSES "CLSID\\" CLSID "\\InprocServer32",
    CLASSES "CLSID\\" CLSID "\\LocalServer32",
    CLASSES "CLSID\\" CLSID "\\TreatAs",
    CLASSES "CLSID\\" CLSID "\\ScriptletURL",
    CLASSES "exefile\\shell\\open\\command",
    CLASSES "Directory\\shellex\\ContextMenuHandlers",
    CLASSES "PROTOCOLS\\Filter",
    CLASSES "PROTOCOLS\\Handler",
    CLASSES "htafile",
    WOW "Microsoft\\Windows\\CurrentVersion\\Run",
    WOW "Microsoft\\Windows\\CurrentVersion\\RunOnce",
    WOW "Microsoft\\Windows\\CurrentVersion\\RunOnceEx",
    WOW "Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer\\Run",
    WOW "Microsoft\\Windows\\CurrentVersion\\Explorer\\Browser Helper Objects",
    WOW "Microsoft\\Windows\\CurrentVersion\\Explorer\\ShellExecuteHooks",
    WOW "Microsoft\\Windows\\CurrentVersion\\ShellServiceObjectDelayLoad",
    WOW "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options",
    WOW "Microsoft\\Windows NT\\CurrentVersion\\Winlogon",
    WOW "Microsoft\\Windows NT\\CurrentVersion\\Windows",
    WOW "Microsoft\\Windows NT\\CurrentVersion\\Drivers32",
    WOW "Microsoft\\Windows NT\\CurrentVersion\\AeDebug",
    WOW "Microsoft\\Active Setup\\Installed Components",
    WOW "Microsoft\\Command Processor",
    WOW "Microsoft\\.NETFramework",
    WOW "Microsoft\\Office\\Excel\\x\\Addins",
    CLASSES "WOW6432Node\\CLSID\\" CLSID "\\InprocServer32",
    CLASSES "WOW6432Node\\CLSID\\" CLSID "\\LocalServer32",
    "\\REGISTRY\\MACHINE\\SAM\\SAM\\Domains\\Account\\Users",
};

static const char *const user_keys[] = {
    USER_WINDOWS "Run",
    USER_WINDOWS "RunOnce",
    USER_WINDOWS "RunOnceEx",
    USER_WINDOWS "RunServices",
    USER_WINDOWS "RunServicesOnce",
    USER_WINDOWS "Policies\\Explorer\\Run",
    USER_WINDOWS "Policies\\System",
    USER_WINDOWS "Explorer\\User Shell Folders",
    USER_WINDOWS "Explorer\\Shell Folders",
    USER_WINDOWS "App Paths",
    USER "Software\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon",
    USER "Software\\Microsoft\\Windows NT\\CurrentVersion\\Windows",
    USER "Software\\Microsoft\\Command Processor",
    USER "Software\\Microsoft\\Office\\16.0\\Word\\Addins",
    USER "Software\\Microsoft\\Office test",
    USER "Software\\Microsoft\\Windows Script Host\\Settings",
    USER "Software\\Microsoft\\CTF\\LangBarAddin",
    USER "Software\\Classes\\CLSID\\" CLSID "\\InprocServer32",
    USER "Software\\Classes\\CLSID\\" CLSID "\\LocalServer32",
    USER "Software\\Classes\\CLSID\\" CLSID "\\TreatAs",
    USER "Software\\Classes\\ms-settings\\shell\\open\\command",
    USER "Software\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Run",
    USER "Software\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\RunOnce",
    USER "Software\\Policies\\Microsoft\\Windows\\System\\Scripts",
    USER "Software\\Policies\\Microsoft\\Windows\\Control Panel\\Desktop",
    USER "Software\\Policies\\Microsoft\\Windows\\PowerShell",
    USER "Environment",
    USER "Control Panel\\Desktop",
    USER "Control Panel\\Cpls",
    USER_CLASSES "CLSID\\" CLSID "\\InprocServer32",
    USER_CLASSES "CLSID\\" CLSID "\\LocalServer32",
    USER_CLASSES "CLSID\\" CLSID "\\TreatAs",
    USER_CLASSES "mscfile\\shell\\open\\command",
};

static bool has(const char *key)
{
    return probe_regwatch_has(text_of(key), NTSIM_NULL);
}

static void expect_watched(const char *key, bool want)
{
    if (has(key) != want) {
        fail_msg("%s: %s", key, want ? "not watched" : "watched");
    }
}

/* The key itself, in any case, what lies below it; not its shorter or longer neighbour, not what
 * lies above it. */
static void check_key(const char *key)
{
    char other[256];
    size_t len = strlen(key);

    assert_true(len < sizeof(other) - 8);
    expect_watched(key, true);
    strcpy(other, key);
    for (size_t i = 0; i < len; i++) {
        other[i] = (char)(i % 2 != 0 ? toupper(key[i]) : tolower(key[i]));
    }
    expect_watched(other, true);
    strcpy(other, key);
    strcat(other, "\\sub");
    expect_watched(other, true);
    strcpy(other + len, "Zz");
    expect_watched(other, false);
    other[len - 1] = 0;
    expect_watched(other, false);
    *strrchr(other, '\\') = 0;
    expect_watched(other, false);
}

static void d14_each_persistence_key_of_the_machine_is_watched(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(machine_keys) / sizeof(machine_keys[0]); i++) {
        check_key(machine_keys[i]);
    }
}

static void d14_each_persistence_key_of_a_user_is_watched(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(user_keys) / sizeof(user_keys[0]); i++) {
        check_key(user_keys[i]);
    }
}

static void d11_control_sets_match_by_any_number(void **state)
{
    (void)state;
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\x", true);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet002\\Services\\x", true);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet999\\Control\\Lsa", true);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Lsa", true);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\CurrentControlSet\\Services", true);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Hardware Profiles", false);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Sub\\Services", false);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Control\\Lsass", false);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM\\Services", false);
}

static void d13_of_a_users_hive_only_the_listed_keys_are_watched(void **state)
{
    (void)state;
    expect_watched(USER_WINDOWS "Run", true);
    expect_watched("\\REGISTRY\\USER\\.DEFAULT\\Software\\Microsoft\\Windows\\CurrentVersion\\Run",
                   true);
    expect_watched(USER_WINDOWS "Explorer\\RunMRU", false);
    expect_watched(USER_WINDOWS "RunMRU", false);
    expect_watched(USER_WINDOWS "RunNotification", false);
    expect_watched(USER_WINDOWS "Explorer\\UserAssist", false);
    expect_watched(USER "Software\\Vendor\\Product", false);
    expect_watched(USER "Software", false);
    expect_watched("\\REGISTRY\\USER\\S-1-5-21-1-2-3-1001", false);
    expect_watched("\\REGISTRY\\USER", false);
    expect_watched("\\REGISTRY\\USER\\", false);
    /* A user's keys are none of the machine's, and the other way round. */
    expect_watched(USER "Microsoft\\Windows\\CurrentVersion\\Run", false);
    expect_watched("\\REGISTRY\\MACHINE\\SOFTWARE\\x\\Environment", false);
}

static void other_hives_are_not_watched(void **state)
{
    (void)state;
    expect_watched("\\REGISTRY\\MACHINE\\HARDWARE\\ControlSet001\\Services", false);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM2\\ControlSet001\\Services", false);
    expect_watched("\\REGISTRY\\MACHINE\\SYSTEM", false);
    expect_watched("\\REGISTRY\\MACHINE\\SOFTWARE\\", false);
    expect_watched("\\REGISTRY\\MACHINE\\SOFTWARE\\SAM\\Domains\\Account\\Users", false);
    expect_watched("\\REGISTRY\\MACHINE", false);
    expect_watched("\\REGISTRY", false);
    expect_watched("x\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services", false);
    expect_watched("", false);
    assert_false(probe_regwatch_has(NTSIM_NULL, NTSIM_NULL));
}

static void d12_name_in_two_pieces_is_watched_as_one(void **state)
{
    const struct ntsim_text whole = NTSIM_TEXT(RUN u"\\Sub");

    (void)state;
    for (size_t i = 1; i < whole.len / 2u; i++) {
        if (whole.units[i] == '\\') {
            assert_true(
                probe_regwatch_has(NTSIM_BYTES(whole.units, 2 * i),
                                   NTSIM_BYTES(whole.units + i + 1, whole.len - 2 * (i + 1))));
        }
    }
    assert_true(probe_regwatch_has(NTSIM_TEXT(RUN), NTSIM_TEXT(u"")));
    assert_true(probe_regwatch_has(NTSIM_TEXT(u""), NTSIM_TEXT(RUN)));
}

/* ---- what the agent asked for ---- */

static struct ntsim_file *f;

static int setup(void **state)
{
    int err = expect_setup(state);

    f = *state;
    play_creator();
    return err;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)

static void watch(const struct ntsim_text *keys, size_t count)
{
    const struct ntsim_text path = NTSIM_TEXT(u"\\Device\\Path");

    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, &path, 1, keys, count), NTSIM_SUCCESS);
}

static bool reported(struct ntsim_text key)
{
    uint64_t before = driver_stats(f).callback[WEDR_CALLBACK_REGISTRY].events;

    assert_int_equal(ntsim_fire_registry_delete_value(ntsim_key_new(key), NTSIM_NULL, 0), 0);
    if (driver_stats(f).callback[WEDR_CALLBACK_REGISTRY].events == before) {
        expect_none(f);
        return false;
    }
    expect_some(f, WEDR_EV_REGISTRY_WRITE, WEDR_LANE_CRITICAL);
    return true;
}

static void keys_that_were_asked_for_are_watched_besides(void **state)
{
    const struct ntsim_text key = NTSIM_TEXT(UNWATCHED);

    (void)state;
    assert_false(reported(NTSIM_TEXT(UNWATCHED)));
    watch(&key, 1);
    assert_true(reported(NTSIM_TEXT(UNWATCHED)));
    assert_true(reported(NTSIM_TEXT(UNWATCHED u"\\Sub")));
    assert_true(reported(NTSIM_TEXT(u"\\registry\\machine\\software\\vendor\\product\\x")));
    assert_false(reported(NTSIM_TEXT(UNWATCHED u"2")));
    assert_false(reported(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor")));
    assert_true(reported(NTSIM_TEXT(RUN)));
    /* Paths of images in the same filter are no keys. */
    assert_false(reported(NTSIM_TEXT(u"\\Device\\Path\\x")));
    watch(NULL, 0);
    assert_false(reported(NTSIM_TEXT(UNWATCHED)));
    assert_false(reported(NTSIM_TEXT(u"\\Device\\Path\\x")));
}

static void any_of_128_keys_is_watched(void **state)
{
    static const char digits[] = "0123456789abcdef";
    static uint16_t names[128][4];
    struct ntsim_text keys[128];

    (void)state;
    for (unsigned i = 0; i < 128; i++) {
        names[i][0] = '\\';
        names[i][1] = (uint16_t)digits[i / 16];
        names[i][2] = (uint16_t)digits[i % 16];
        keys[i] = NTSIM_BYTES(names[i], 6);
    }
    watch(keys, 128);
    assert_true(reported(NTSIM_TEXT(u"\\00")));
    assert_true(reported(NTSIM_TEXT(u"\\3F\\x")));
    assert_true(reported(NTSIM_TEXT(u"\\7f")));
    assert_false(reported(NTSIM_TEXT(u"\\80")));
}

static void d12_prefix_that_spans_root_and_leaf_is_watched(void **state)
{
    const struct ntsim_text key = NTSIM_TEXT(UNWATCHED u"\\Settings");
    const struct wants w = wants_change(WEDR_REGISTRY_OP_CREATE_KEY, NTSIM_ACCESS_DENIED,
                                        NTSIM_TEXT(UNWATCHED u"\\settings\\x"));
    struct ntsim_key *root = ntsim_key_new(NTSIM_TEXT(UNWATCHED));

    (void)state;
    watch(&key, 1);
    assert_int_equal(ntsim_fire_registry_create_key(root, NTSIM_TEXT(u"settings\\x"), NULL, 0,
                                                    NTSIM_ACCESS_DENIED),
                     0);
    expect_record(f, &w);
    assert_int_equal(ntsim_fire_registry_create_key(root, NTSIM_TEXT(u"settings2"), NULL, 0,
                                                    NTSIM_ACCESS_DENIED),
                     0);
    expect_none(f);
}

static void d11_value_of_a_service_is_reported_under_its_real_control_set(void **state)
{
    const struct ntsim_text key =
        NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SYSTEM\\ControlSet001\\Services\\evil");
    struct wants w = wants_change(WEDR_REGISTRY_OP_SET_VALUE, NTSIM_SUCCESS, key);

    (void)state;
    want_text(&w, "value_name", NTSIM_TEXT(u"ImagePath"), 0);
    want_number(&w, "value_type", 2);
    want_number(&w, "data_size", 2);
    want_bytes(&w, "data_preview", u"x", 2, 0);
    assert_int_equal(
        ntsim_fire_registry_set_value(ntsim_key_new(key), NTSIM_TEXT(u"ImagePath"), 2, u"x", 2, 0),
        0);
    expect_record(f, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(d14_each_persistence_key_of_the_machine_is_watched),
        cmocka_unit_test(d14_each_persistence_key_of_a_user_is_watched),
        cmocka_unit_test(d11_control_sets_match_by_any_number),
        cmocka_unit_test(d13_of_a_users_hive_only_the_listed_keys_are_watched),
        cmocka_unit_test(other_hives_are_not_watched),
        cmocka_unit_test(d12_name_in_two_pieces_is_watched_as_one),
        TEST(keys_that_were_asked_for_are_watched_besides),
        TEST(any_of_128_keys_is_watched),
        TEST(d12_prefix_that_spans_root_and_leaf_is_watched),
        TEST(d11_value_of_a_service_is_reported_under_its_real_control_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
