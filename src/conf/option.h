/*
 * THE option table: every key of a config file and every option of the command
 * line, one row each. The JSON reader, the command line, `check`, --help, the
 * man page and the shell completion all read it; nothing is an option that is
 * not in it. A key that the schema knows and that this version does not act on
 * has a row too (OPTION_LATER), so that it is named and never silently ignored.
 */
#ifndef GATUN_CONF_OPTION_H
#define GATUN_CONF_OPTION_H

#include <stddef.h>
#include <stdint.h>

enum option_where {
	/* in a config file */
	IN_TOP = 1 << 0,
	IN_SERVER = 1 << 1,	/* an element of servers[] */
	IN_LOCAL = 1 << 2,	/* an element of locals[] */
	IN_BALANCER = 1 << 3,	/* in the object "balancer" */
	IN_RUNTIME = 1 << 4,	/* in the object "runtime" */
	IN_LIMITS = 1 << 5,	/* in the object "limits" of the top level or a server, */
	IN_USER_LIMITS = 1 << 6, /* of a user */
	IN_USER = 1 << 7,	/* an element of users[]; name and password are a server's keys */
	IN_ONLINE = 1 << 16,	/* in the object "online_config" */
	IN_FILE = IN_TOP | IN_SERVER | IN_LOCAL | IN_BALANCER | IN_RUNTIME | IN_LIMITS | IN_USER_LIMITS | IN_USER | IN_ONLINE,
	/* on the command line of */
	FOR_RUN = 1 << 8,
	FOR_SERVER = 1 << 9,
	FOR_CHECK = 1 << 10,
	FOR_URL = 1 << 11,
	FOR_GENKEY = 1 << 12,
	FOR_CIPHERS = 1 << 13,
	FOR_LOCAL = 1 << 14,
	FOR_STATUS = 1 << 15,
	FOR_RELOAD = 1 << 17,
	FOR_UP = 1 << 18,
	FOR_DOWN = 1 << 19,
	FOR_DOCTOR = 1 << 20,
	FOR_CLIENT = FOR_RUN | FOR_UP | FOR_LOCAL,
	FOR_ALL = FOR_RUN | FOR_UP | FOR_SERVER | FOR_LOCAL, /* what starts an engine */
};

enum option_type {
	OPTION_FLAG,	    /* true or false; on the command line its presence; min 1: stored as its opposite */
	OPTION_COUNT,	    /* how often it was given */
	OPTION_NUMBER,	    /* min..max */
	OPTION_MEGABYTES,   /* min..max of them, stored in bytes */
	OPTION_PORT,	    /* 1..65535, as a number or in quotes */
	OPTION_SWITCH,	    /* true, false, or one of `words`, the first two of which these are; as OPTION_WORD */
	OPTION_WORD,	    /* one of `words`, stored as min + its place */
	OPTION_TEXT,
	OPTION_SECRET,	    /* text that is never shown; @FILE on the command line */
	OPTION_DNS_MODE,    /* fake, off or an address */
	OPTION_SOURCES,	    /* an IP address, into the first (IPv4) or second of two struct addr */
	OPTION_DEVICE,	    /* a network interface's name */
	OPTION_ENDPOINT,    /* IP or IP:PORT, 53 by default */
	OPTION_NAMESERVERS, /* addresses with commas, or a preset's name */
	OPTION_WORKERS,	    /* min..max, or auto, stored as 0 */
	OPTION_SERVER,	    /* host, or ss:// URL, or (libev) an array of hosts */
	OPTION_ADDRESS,	    /* command line only: HOST:PORT */
	OPTION_SOURCE,	    /* command line only: the config file */
	OPTION_SERVERS,	    /* an array of objects */
	OPTION_USERS,	    /* an array of objects, each with name and password; min 1: and an address */
	OPTION_LOCALS,
	OPTION_PORTS,	    /* an object of passwords by their ports: a server each */
	OPTION_PROTOCOL,    /* of an inbound */
	OPTION_LISTEN,	    /* command line only: ADDR:PORT of an inbound, whose protocol is `min`; `max`: enum config_redir */
	OPTION_OBJECT,	    /* an object, whose keys are the rows of section `min`; the field says that it was there (bool) */
	OPTION_HOPS,	    /* URLs of proxies, which may hold passwords: one, or an array; repeatable on the command line */
	OPTION_WEIGHT,	    /* 0..1, stored in thousandths */
	OPTION_PROBE_URL,   /* http://HOST[:PORT][/PATH] */
	OPTION_STRINGS,	    /* an array of strings; in a file only */
	OPTION_WISH,	    /* command line only: a flag, or --flag=WORD: 1 + the word's place, the first if there is none */
	OPTION_PREFIX,	    /* a CIDR prefix of family `min`, 4 or 6 (0: any, an address of both fields); host bits stay with max 1 */
	/* lists (conf/up.h): one item, or an array; repeatable on the command line, in place of the file's */
	OPTION_PREFIXES,    /* CIDR prefixes without host bits */
	OPTION_DEVICES,	    /* names of network interfaces */
	OPTION_CGROUPS,	    /* paths of control groups; `min` is what they mean (enum config_pick) */
	OPTION_UIDS,	    /* users by name, number or FROM-TO; as above */
	OPTION_INERT,	    /* accepted, means nothing to us by its nature (version, id) */
	OPTION_LATER,	    /* known, not supported yet, has no effect: a warning */
};

enum option_home { HOME_CONFIG, HOME_SERVER, HOME_LOCAL }; /* struct config, server_spec, local_spec */

struct option_row {
	const char *key;	/* in a config file, or NULL */
	const char *flag;	/* on the command line, without "--", or NULL */
	char letter;		/* "-x", or 0 */
	const char *arg;	/* the argument's name in help, or NULL */
	enum option_type type;
	uint32_t where;		/* enum option_where */
	uint32_t min, max;
	const char *words;	/* "tcp_only|udp_only|..." */
	enum option_home home;
	size_t offset;		/* of its field there */
	const char *def;	/* the default as a user reads it, or NULL */
	const char *doc;	/* one or two sentences */
};

/* Rows, ended by one with neither key nor flag. */
const struct option_row *option_table(void);
/* The row of a file's key in that section, or NULL. */
const struct option_row *option_find_key(const char *key, uint32_t where);
/* The row of "--flag" (without the dashes, `len` bytes) or of a letter. */
const struct option_row *option_find_flag(const char *flag, size_t len, uint32_t where);
const struct option_row *option_find_letter(char letter, uint32_t where);

#endif
