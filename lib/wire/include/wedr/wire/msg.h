/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/msg.h — messages between the agent's processes (holder, core, net, facts), its
 * short-lived helpers and its command line. Fixed packed structures in host byte order: both ends
 * are the same program on the same machine. No OS, no allocation. The receiver calls wedr_msg_check
 * before it looks at a single field; what fails ends the peer.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/batch.h"
#include "wedr/wire/command.h"
#include <stdint.h>

#define WEDR_MSG_VERSION 1u
#define WEDR_MSG_TEXT_MAX 256u
#define WEDR_MSG_LINE_MAX 4096u
#define WEDR_MSG_PEM_MAX 16384u
#define WEDR_MSG_OPTIONS_MAX 32768u
#define WEDR_MSG_SIZE_MAX 65536u
#define WEDR_MSG_HANDLES_MAX 3u
#define WEDR_MSG_PROFILE_MAX 64u
#define WEDR_MSG_ALERT_ID_TEXT 33u /* 32 hex digits with NUL */
#define WEDR_MSG_NAMES_MAX 1024u
#define WEDR_MSG_HOOKS_MAX 4096u     /* bytes of a list of hooks */
#define WEDR_MSG_RULES_MAX 16777216u /* bytes of a rule bundle */
#define WEDR_MSG_PATH_MAX 1024u /* of an executable; a longer one is found by its process alone */
#define WEDR_MSG_NAME_MAX 64u   /* of a user, group or package, with NUL */
#define WEDR_MSG_HEAD_MAX 4096u /* first bytes of an executable */

struct WEDR_PACKED wedr_msg_header {
    uint16_t version; /* WEDR_MSG_VERSION */
    uint16_t type;    /* enum wedr_msg_type */
    uint32_t size;    /* bytes of the whole message */
};

enum wedr_msg_direction {
    WEDR_MSG_HOLDER_TO_CORE = 1,
    WEDR_MSG_CORE_TO_HOLDER,
    WEDR_MSG_HOLDER_TO_NET,
    WEDR_MSG_NET_TO_HOLDER,
    WEDR_MSG_CORE_TO_NET,
    WEDR_MSG_NET_TO_CORE,
    WEDR_MSG_CLI_TO_HOLDER,
    WEDR_MSG_HOLDER_TO_CLI,
    WEDR_MSG_HELPER_TO_PARENT,
    WEDR_MSG_HOLDER_TO_FACTS,
    WEDR_MSG_FACTS_TO_HOLDER,
    WEDR_MSG_CORE_TO_FACTS,
    WEDR_MSG_FACTS_TO_CORE
};

/* Identity of a batch as it travels; wedr_batch_id has holes between its members. */
struct WEDR_PACKED wedr_msg_batch_id {
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    char stream[WEDR_STREAM_NAME_MAX];
    uint64_t first_seq, last_seq;
    uint32_t count;
    uint64_t produced, lost;
    uint8_t sha256[32];
};

/* Messages without content: CORE_PEER, NET_PEER (handle: channel between core and net), CORE_FACTS,
 * FACTS_PEER (handle: channel between core and facts), NET_KEYS
 * (handles: TLS key, certificate, CA), NET_FILE (handle: memory that the next bundle is written
 * to), CORE_FINISHED, NET_STOP, CLI_STATUS. */
struct WEDR_PACKED wedr_msg_empty {
    struct wedr_msg_header h;
};

/* Handles: ring of each lane, state page. */
struct WEDR_PACKED wedr_msg_source_ebpf {
    struct wedr_msg_header h;
    uint32_t ring_bytes; /* of each ring */
    uint8_t adopted;
    uint8_t proc; /* the same rings, filled without BPF */
};
/* Handle: the capture file. */
struct WEDR_PACKED wedr_msg_source_replay {
    struct wedr_msg_header h;
    uint64_t rate, epoch;
};
/* SOURCE_END, CORE_STOP, CORE_READY and NET_READY (what the sandbox lacks). */
struct WEDR_PACKED wedr_msg_text {
    struct wedr_msg_header h;
    char text[WEDR_MSG_TEXT_MAX];
};
/* SOURCE_STARTED, SOURCE_ENDED, CORE_STOPPED, RENEWED, CLI answer: how it went. NET_GONE,
 * FACTS_GONE: the channel to net or facts ended, err says whether that one closed it or broke the
 * protocol. */
struct WEDR_PACKED wedr_msg_result {
    struct wedr_msg_header h;
    int32_t err;
    char text[WEDR_MSG_TEXT_MAX];
};
/* GAP asks; GAP_DONE repeats the token once the record is in the spool. */
struct WEDR_PACKED wedr_msg_gap {
    struct wedr_msg_header h;
    int64_t from_us, to_us;
    uint32_t token;
    uint16_t reason;
};
struct WEDR_PACKED wedr_msg_sign {
    struct wedr_msg_header h;
    struct wedr_msg_batch_id id;
};
/* SIGNED: holder to core. BATCH (handle: sealed file): core to net. */
struct WEDR_PACKED wedr_msg_signed {
    struct wedr_msg_header h;
    struct wedr_msg_batch_id id;
    uint8_t signature[WEDR_BATCH_SIG_LEN];
};
enum wedr_msg_outcome {
    WEDR_MSG_ACKED = 1,
    WEDR_MSG_RETRY = 2,
    WEDR_MSG_CONFLICT = 3,
    WEDR_MSG_POISON = 4
};
struct WEDR_PACKED wedr_msg_batch_outcome {
    struct wedr_msg_header h;
    struct wedr_msg_batch_id id;
    uint8_t outcome;  /* enum wedr_msg_outcome */
    uint8_t window;   /* how many batches net wants under way at once from now on, 1 ..
                         WEDR_MSG_WINDOW_MAX */
    uint32_t wait_ms; /* offer nothing before this time has passed */
};
#define WEDR_MSG_WINDOW_MAX 4u
#define WEDR_MSG_WAIT_MAX_MS 86400000u

/* RULES: holder to core (handle: the bundle, read-only). The holder has verified its signature. */
struct WEDR_PACKED wedr_msg_rules {
    struct wedr_msg_header h;
    uint64_t serial;
    uint32_t len;    /* bytes of the bundle */
    uint32_t policy; /* enum wedr_bundle_policy */
    char profile[WEDR_MSG_PROFILE_MAX];
};
/* RULES_RESULT: core to holder: whether the bundle of that serial is at work. */
struct WEDR_PACKED wedr_msg_rules_result {
    struct wedr_msg_header h;
    uint64_t serial;
    int32_t err;
    char text[WEDR_MSG_TEXT_MAX];
};
/* SENSOR_STATE: holder to core, for the record of that name. Lists: one entry a line. */
struct WEDR_PACKED wedr_msg_sensor_state {
    struct wedr_msg_header h;
    char source[16], level[16];
    char reason[WEDR_MSG_TEXT_MAX];
    char hooks_live[WEDR_MSG_HOOKS_MAX], hooks_missing[WEDR_MSG_HOOKS_MAX];
};
/* RULES_FETCHED: net to holder: what the server sent stands in the file of NET_FILE. Unverified. */
struct WEDR_PACKED wedr_msg_rules_fetched {
    struct wedr_msg_header h;
    uint32_t len;
    uint8_t sha256[32]; /* what the server said it would be */
};
/* KILL: core asks the holder to end a process on behalf of a rule. */
struct WEDR_PACKED wedr_msg_kill {
    struct wedr_msg_header h;
    uint32_t pid;
    uint64_t process_key;
    char alert_id[WEDR_MSG_ALERT_ID_TEXT];
    char rule_id[WEDR_MSG_TEXT_MAX];
};
/* KILL_RESULT: holder to core, which may be another core than the one that asked. */
struct WEDR_PACKED wedr_msg_kill_result {
    struct wedr_msg_header h;
    uint32_t pid;
    uint64_t process_key;
    uint64_t duration_us;
    uint16_t result; /* a code of the labels RESPONSE_RESULT */
    char alert_id[WEDR_MSG_ALERT_ID_TEXT];
    char rule_id[WEDR_MSG_TEXT_MAX];
    char detail[WEDR_MSG_TEXT_MAX];
};

/* Which executable, as the kernel's record has it. */
struct WEDR_PACKED wedr_msg_exe {
    uint64_t inode, size;
    int64_t ctime_ns, mtime_ns;
    uint32_t dev; /* major << 20 | minor */
    uint32_t pid; /* that ran it */
    uint64_t process_key;
};
/* EXE_ASK: core to facts. */
struct WEDR_PACKED wedr_msg_exe_ask {
    struct wedr_msg_header h;
    struct wedr_msg_exe exe;
    uint8_t settled;              /* 1: a later change of the file would show in its times */
    char path[WEDR_MSG_PATH_MAX]; /* "": no name that could be opened */
};
enum wedr_msg_exe_result {
    WEDR_MSG_EXE_KNOWN = 1,
    WEDR_MSG_EXE_GONE = 2,       /* neither process nor file is there */
    WEDR_MSG_EXE_CHANGED = 3,    /* another file has the name, or it may have been written to */
    WEDR_MSG_EXE_TOO_LARGE = 4,  /* over the limit of the policy */
    WEDR_MSG_EXE_REMOTE = 5,     /* on a file system that answers when it likes: not opened */
    WEDR_MSG_EXE_UNREADABLE = 6, /* input/output error, no regular file, no permission */
    WEDR_MSG_EXE_BUSY = 7        /* too many wait */
};
#define WEDR_MSG_EXE_RESULT_LAST WEDR_MSG_EXE_BUSY
/* EXE_FACTS: facts to core. What follows `result` counts for KNOWN alone. */
struct WEDR_PACKED wedr_msg_exe_facts {
    struct wedr_msg_header h;
    struct wedr_msg_exe exe;
    uint8_t result;  /* enum wedr_msg_exe_result */
    uint8_t running; /* 1: the process still runs it: nobody could write to it meanwhile */
    uint8_t touched; /* 1: it was renamed, removed or given other rights since; running is 1 then */
    uint8_t sha256[32];
    char package[WEDR_MSG_NAME_MAX], package_version[WEDR_MSG_NAME_MAX];
    uint16_t head_len;
    uint8_t head[WEDR_MSG_HEAD_MAX]; /* core reads what it says: facts has too many rights for it */
};
/* NAME_ASK: core to facts; NAME: the answer. */
struct WEDR_PACKED wedr_msg_name_ask {
    struct wedr_msg_header h;
    uint32_t id;
    uint8_t group; /* 1: of a group */
};
struct WEDR_PACKED wedr_msg_name {
    struct wedr_msg_header h;
    uint32_t id;
    uint8_t group;
    char name[WEDR_MSG_NAME_MAX]; /* "": it has none */
};
/* FACTS_STATS: facts to holder about once a second, cumulative. */
struct WEDR_PACKED wedr_msg_facts_stats {
    struct wedr_msg_header h;
    uint64_t asked, hashed, hashed_bytes;
    uint64_t skipped[WEDR_MSG_EXE_RESULT_LAST + 1]; /* by result; [0] and KNOWN: 0 */
    uint64_t names, names_unknown;
    uint64_t packages, package_files, index_bytes; /* of the index now */
    uint32_t waiting;                              /* questions */
    uint8_t package_source;                        /* enum wedr_msg_package_source */
    uint64_t log_dropped;
};
enum wedr_msg_package_source {
    WEDR_MSG_PACKAGES_NONE = 0, /* no database, or not looked yet */
    WEDR_MSG_PACKAGES_DPKG = 1,
    WEDR_MSG_PACKAGES_RPM = 2,
    WEDR_MSG_PACKAGES_UNSUPPORTED = 3 /* a database of a kind that is not read */
};

struct WEDR_PACKED wedr_msg_log {
    struct wedr_msg_header h;
    uint8_t level; /* enum wedr_log_level */
    uint16_t len;
    char line[WEDR_MSG_LINE_MAX];
};

struct WEDR_PACKED wedr_msg_lane {
    uint64_t produced, lost_ring, read, released, malformed, late, spooled, spooled_seq, in_flight;
};
/* What the rules have done since core began; nothing of it goes back when rules are exchanged. */
struct WEDR_PACKED wedr_msg_detect {
    uint64_t serial; /* of the rules at work, 0: none */
    uint64_t memory; /* bytes held for them */
    uint64_t events; /* shown to the rules */
    uint64_t matched, alerts, suppressed, over_budget;
    uint64_t responses;
    uint64_t windows, windows_evicted;
    uint64_t processes, processes_evicted; /* of the table behind the ancestry */
    uint64_t too_large;                    /* alerts whose evidence was cut */
    uint64_t swaps;
    uint32_t rules;
};
/* What core asked the process facts, and what became of it. */
struct WEDR_PACKED wedr_msg_enrich {
    uint64_t files_asked, files_known; /* answers with a digest */
    uint64_t files_unknown;            /* answers without, and questions nobody answered */
    uint64_t files_skipped;            /* not asked: too many waited */
    uint64_t images_late;              /* process_image records */
    uint64_t images_skipped;           /* not written: too many waited, or not provable */
    uint64_t names_asked, names_skipped;
    uint64_t redacted; /* command lines that lost a secret */
};
/* Counters of core, to holder and to net about once a second. */
struct WEDR_PACKED wedr_msg_core_stats {
    struct wedr_msg_header h;
    uint64_t epoch, agent_epoch;
    char source[16];
    struct wedr_msg_lane lane[WEDR_LANE_COUNT];
    uint64_t agent_produced, agent_acked, alert_produced, alert_acked;
    uint64_t batches_sealed, batches_acked, batches_waiting, batches_set_aside;
    uint64_t spool_bytes, spool_bytes_max, evicted, corrupt, torn_bytes_cut;
    uint64_t rounds; /* pump rounds since the process began: a watchdog sees them move */
    uint64_t log_dropped, bugs;
    struct wedr_msg_detect detect;
    struct wedr_msg_enrich enrich;
    uint8_t disk_full, sending; /* batches under way */
    int32_t round_err;          /* why the last round could not do all of its work; WEDR_E_* */
};

enum wedr_msg_server_state {
    WEDR_MSG_SERVER_UNKNOWN = 0, /* nothing tried yet */
    WEDR_MSG_SERVER_OK = 1,
    WEDR_MSG_SERVER_UNREACHABLE = 2,  /* transport, TLS, timeout */
    WEDR_MSG_SERVER_REFUSED = 3,      /* 401, 403 */
    WEDR_MSG_SERVER_NOT_ENROLLED = 4, /* 404 */
    WEDR_MSG_SERVER_BUSY = 5,         /* 408, 429, 5xx */
    WEDR_MSG_SERVER_NO_CONFIG = 6     /* no server configured: nothing is shipped */
};
/* Counters of net, to holder about once a second. */
struct WEDR_PACKED wedr_msg_net_stats {
    struct wedr_msg_header h;
    uint64_t batches_sent, batches_acked, batches_retried, batches_conflict, batches_poison,
        bytes_sent;
    uint64_t heartbeats, heartbeats_failed;
    uint64_t log_dropped, bugs;
    int64_t last_ok_us; /* last answer of the server that was a success, 0 = never */
    int64_t cert_not_after_us;
    int32_t last_status; /* HTTP status of the last answer */
    uint32_t retry_in_ms;
    uint8_t server_state; /* enum wedr_msg_server_state */
    uint8_t in_flight;
    char last_error[WEDR_MSG_TEXT_MAX];
};
/* How far the agent holds itself back to stay within its share of the processor. Critical records
 * are never held back. */
enum wedr_msg_governor {
    WEDR_MSG_GOVERNOR_FULL = 0,
    WEDR_MSG_GOVERNOR_QUARTER = 1, /* budgets of bulk kinds are a quarter */
    WEDR_MSG_GOVERNOR_TRICKLE = 2, /* a twentieth */
    WEDR_MSG_GOVERNOR_NO_BULK = 3  /* bulk kinds are not recorded */
};
/* What holder knows, for the heartbeat. */
struct WEDR_PACKED wedr_msg_holder_state {
    struct wedr_msg_header h;
    uint8_t sensor_attached, degraded;
    uint32_t core_restarts, net_restarts;
    uint32_t sensor_detached_count;
    uint64_t uptime_ms;
    char health[WEDR_MSG_TEXT_MAX]; /* what is wrong, "" when nothing */
    /* Rules. serial 0: none. */
    uint64_t rules_serial;
    uint32_t rules_count;
    uint8_t rules_sha256[32];         /* of the bundle at work */
    uint8_t rules_refused_sha256[32]; /* of the last one that was refused: not fetched again */
    uint8_t rules_fetch;              /* 1: a bundle of the server can be used */
    uint8_t kill_allowed;
    char rules_profile[WEDR_MSG_PROFILE_MAX];
    char rules_error[WEDR_MSG_TEXT_MAX]; /* why the newest bundle is not at work, "" */
    /* Sensor. */
    uint32_t hooks_live, hooks_missing;
    uint8_t governor;      /* enum wedr_msg_governor */
    uint32_t cpu_permille; /* of one core, all processes of the agent, a mean of some seconds */
    char hooks_missing_names[WEDR_MSG_NAMES_MAX]; /* separated by blanks, cut when long */
    char settings_error[WEDR_MSG_TEXT_MAX];       /* why the settings asked for do not hold, "" */
    /* Commands. */
    uint8_t commands; /* 1: there is a key to check them with */
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
};
/* COMMAND: net to holder, as the server sent it; the holder verifies it. */
struct WEDR_PACKED wedr_msg_command {
    struct wedr_msg_header h;
    uint8_t id[WEDR_COMMAND_ID_LEN]; /* tells answers apart; not believed */
    uint16_t len;
    uint8_t signature[WEDR_BATCH_SIG_LEN];
    uint8_t bytes[WEDR_COMMAND_MAX];
};
enum wedr_msg_command_outcome {
    WEDR_MSG_COMMAND_DONE = 1,
    WEDR_MSG_COMMAND_REFUSED = 2, /* nothing was done */
    WEDR_MSG_COMMAND_FAILED = 3
};
/* COMMAND_RESULT: holder to net. */
struct WEDR_PACKED wedr_msg_command_result {
    struct wedr_msg_header h;
    uint8_t id[WEDR_COMMAND_ID_LEN]; /* of the question */
    uint16_t type;                   /* enum wedr_command_type; 0: it was not read */
    uint8_t outcome;                 /* enum wedr_msg_command_outcome */
    uint16_t response;               /* enum wedr_response_result of a kill; 0: none */
    uint32_t pid;                    /* of a kill, as the next two; 0 otherwise */
    uint64_t process_key, duration_us;
    char detail[WEDR_MSG_TEXT_MAX];
};
/* CERT: net to holder, a renewed certificate. Text, NUL-terminated. */
struct WEDR_PACKED wedr_msg_pem {
    struct wedr_msg_header h;
    char pem[WEDR_MSG_PEM_MAX];
};
/* CLI_STOP */
struct WEDR_PACKED wedr_msg_cli_stop {
    struct wedr_msg_header h;
    uint8_t sensor; /* 1: also end the epochs and remove the sensor */
};

struct WEDR_PACKED wedr_msg_process {
    uint32_t pid, uid, restarts;
    uint64_t cpu_us, rss_bytes, pss_bytes, uptime_ms;
};
enum wedr_msg_process_index {
    WEDR_MSG_HOLDER = 0,
    WEDR_MSG_CORE = 1,
    WEDR_MSG_NET = 2,
    WEDR_MSG_FACTS = 3,
    WEDR_MSG_PROCESSES = 4
};
struct WEDR_PACKED wedr_msg_status {
    struct wedr_msg_header h;
    char agent_id[WEDR_AGENT_ID_TEXT]; /* "" when not enrolled */
    char version[64], server_url[512];
    char sandbox_missing[64];
    struct wedr_msg_holder_state holder;
    struct wedr_msg_core_stats core;
    struct wedr_msg_net_stats net;
    struct wedr_msg_facts_stats facts;
    struct wedr_msg_process process[WEDR_MSG_PROCESSES];
    uint32_t core_age_ms, net_age_ms; /* since their last counters; UINT32_MAX: none yet */
    uint8_t finished;
};

/* OPTIONS: from the child that parsed agent.json. block is the option structure of
 * endpoint/agent/src/config.h. */
struct WEDR_PACKED wedr_msg_options {
    struct wedr_msg_header h;
    int32_t err;
    char text[WEDR_MSG_TEXT_MAX];
    uint32_t block_len;
    uint8_t block[WEDR_MSG_OPTIONS_MAX];
};
/* ENROLLED: from the child that talked to the server. */
struct WEDR_PACKED wedr_msg_enrolled {
    struct wedr_msg_header h;
    int32_t err;
    char text[WEDR_MSG_TEXT_MAX];
    char agent_id[WEDR_AGENT_ID_TEXT];
    char cert_pem[WEDR_MSG_PEM_MAX];
    char ca_pem[WEDR_MSG_PEM_MAX];
    char rules_key[65];   /* 64 hex digits, "" when the server has none */
    char command_key[65]; /* the same */
};

/* X(direction, NAME, code, structure, handles) */
#define WEDR_MSG_LIST(X)                                     \
    X(HOLDER_TO_CORE, SOURCE_EBPF, 101, source_ebpf, 3)      \
    X(HOLDER_TO_CORE, SOURCE_REPLAY, 102, source_replay, 1)  \
    X(HOLDER_TO_CORE, SOURCE_END, 103, text, 0)              \
    X(HOLDER_TO_CORE, GAP, 104, gap, 0)                      \
    X(HOLDER_TO_CORE, CORE_PEER, 105, empty, 1)              \
    X(HOLDER_TO_CORE, SIGNED, 106, signed, 0)                \
    X(HOLDER_TO_CORE, CORE_STOP, 107, text, 0)               \
    X(HOLDER_TO_CORE, RULES, 108, rules, 1)                  \
    X(HOLDER_TO_CORE, KILL_RESULT, 109, kill_result, 0)      \
    X(HOLDER_TO_CORE, CORE_FACTS, 110, empty, 1)             \
    X(HOLDER_TO_CORE, SENSOR_STATE, 111, sensor_state, 0)    \
    X(CORE_TO_HOLDER, CORE_READY, 201, text, 0)              \
    X(CORE_TO_HOLDER, SIGN, 202, sign, 0)                    \
    X(CORE_TO_HOLDER, CORE_STATS, 203, core_stats, 0)        \
    X(CORE_TO_HOLDER, CORE_LOG, 204, log, 0)                 \
    X(CORE_TO_HOLDER, SOURCE_STARTED, 205, result, 0)        \
    X(CORE_TO_HOLDER, SOURCE_ENDED, 206, result, 0)          \
    X(CORE_TO_HOLDER, GAP_DONE, 207, gap, 0)                 \
    X(CORE_TO_HOLDER, CORE_STOPPED, 208, result, 0)          \
    X(CORE_TO_HOLDER, CORE_FINISHED, 209, empty, 0)          \
    X(CORE_TO_HOLDER, NET_GONE, 210, result, 0)              \
    X(CORE_TO_HOLDER, RULES_RESULT, 211, rules_result, 0)    \
    X(CORE_TO_HOLDER, KILL, 212, kill, 0)                    \
    X(CORE_TO_HOLDER, FACTS_GONE, 213, result, 0)            \
    X(HOLDER_TO_NET, NET_KEYS, 301, empty, 3)                \
    X(HOLDER_TO_NET, NET_PEER, 302, empty, 1)                \
    X(HOLDER_TO_NET, HOLDER_STATE, 303, holder_state, 0)     \
    X(HOLDER_TO_NET, RENEWED, 304, result, 0)                \
    X(HOLDER_TO_NET, NET_STOP, 305, empty, 0)                \
    X(HOLDER_TO_NET, NET_FILE, 306, empty, 1)                \
    X(HOLDER_TO_NET, COMMAND_RESULT, 307, command_result, 0) \
    X(NET_TO_HOLDER, NET_READY, 401, text, 0)                \
    X(NET_TO_HOLDER, NET_STATS, 402, net_stats, 0)           \
    X(NET_TO_HOLDER, NET_LOG, 403, log, 0)                   \
    X(NET_TO_HOLDER, CERT, 404, pem, 0)                      \
    X(NET_TO_HOLDER, RULES_FETCHED, 405, rules_fetched, 0)   \
    X(NET_TO_HOLDER, COMMAND, 406, command, 0)               \
    X(CORE_TO_NET, BATCH, 501, signed, 1)                    \
    X(CORE_TO_NET, STATS_FOR_NET, 502, core_stats, 0)        \
    X(NET_TO_CORE, OUTCOME, 601, batch_outcome, 0)           \
    X(CLI_TO_HOLDER, CLI_STATUS, 701, empty, 0)              \
    X(CLI_TO_HOLDER, CLI_STOP, 702, cli_stop, 0)             \
    X(HOLDER_TO_CLI, STATUS, 801, status, 0)                 \
    X(HOLDER_TO_CLI, STOPPING, 802, result, 0)               \
    X(HELPER_TO_PARENT, OPTIONS, 901, options, 0)            \
    X(HELPER_TO_PARENT, CHECKED, 902, result, 0)             \
    X(HELPER_TO_PARENT, ENROLLED, 903, enrolled, 0)          \
    X(HOLDER_TO_FACTS, FACTS_PEER, 1001, empty, 1)           \
    X(FACTS_TO_HOLDER, FACTS_READY, 1101, text, 0)           \
    X(FACTS_TO_HOLDER, FACTS_STATS, 1102, facts_stats, 0)    \
    X(FACTS_TO_HOLDER, FACTS_LOG, 1103, log, 0)              \
    X(CORE_TO_FACTS, EXE_ASK, 1201, exe_ask, 0)              \
    X(CORE_TO_FACTS, NAME_ASK, 1202, name_ask, 0)            \
    X(FACTS_TO_CORE, EXE_FACTS, 1301, exe_facts, 0)          \
    X(FACTS_TO_CORE, NAME, 1302, name, 0)

enum wedr_msg_type {
#define X(direction, NAME, code, structure, handles) WEDR_MSG_T_##NAME = (code),
    WEDR_MSG_LIST(X)
#undef X
};

/* The receiver's check: version, a type that may travel in this direction, the exact length, the
 * exact number of handles, every text NUL-terminated inside its field, every batch identity and
 * enumeration within its bounds. p needs no alignment. WEDR_E_FORMAT for anything else; *ret_type
 * untouched then. */
WEDR_MUST_USE int wedr_msg_check(enum wedr_msg_direction direction,
                                 const void *p,
                                 size_t len,
                                 size_t handles,
                                 uint16_t *ret_type);
/* Bytes of a message of that type, 0 for an unknown one; *ret_handles how many handles go with it
 * (may be NULL). */
size_t wedr_msg_size(uint16_t type, size_t *ret_handles);
/* "full", "quarter", "trickle" or "no_bulk" for an enum wedr_msg_governor. */
const char *wedr_msg_governor_text(uint8_t governor);
/* Zeroes the message and fills its header. m has wedr_msg_size(type) bytes. */
void wedr_msg_begin(void *m, uint16_t type);
/* Copies text into a field of cap bytes, cut to fit, NUL-terminated, the rest zeroed. NULL is "".
 */
void wedr_msg_put_text(char *field, size_t cap, const char *text);

void wedr_msg_from_batch(const struct wedr_batch_id *id, struct wedr_msg_batch_id *ret);
/* The result passed wedr_batch_id_check: call it on checked messages only for convenience, it
 * checks again. */
WEDR_MUST_USE int wedr_msg_to_batch(const struct wedr_msg_batch_id *m,
                                    struct wedr_batch_id *ret_id);
