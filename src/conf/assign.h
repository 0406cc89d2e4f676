/*
 * One value to one option: type, range and words are checked here, once, for
 * config files and for the command line alike.
 */
#ifndef GATUN_CONF_ASSIGN_H
#define GATUN_CONF_ASSIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/local.h"
#include "conf/option.h"
#include "conf/spec.h"

enum value_kind { VALUE_BOOL, VALUE_NUMBER, VALUE_REAL, VALUE_TEXT, VALUE_OTHER };

struct option_value {
	enum value_kind kind;
	int64_t number;	     /* VALUE_BOOL: 0 or 1 */
	double real;	     /* VALUE_REAL */
	const char *text;    /* VALUE_TEXT */
	const char *is;	     /* what it is, for messages: "a string", "an array" */
	conf_place at;
};

struct assignment {
	struct config *config;
	struct server_spec *spec; /* for rows of HOME_SERVER */
	struct problems *problems;
	const char *name;	  /* as the user knows it: "\"timeout\"" or "--mtu" */
	struct local_spec *local; /* for rows of HOME_LOCAL */
	struct local_list *locals; /* for rows of OPTION_LISTEN */
};

/* False if it added an error. Rows of OPTION_SERVERS, OPTION_USERS, OPTION_LOCALS and OPTION_STRINGS are the
 * file reader's, OPTION_SOURCE and OPTION_ADDRESS the command line's. */
bool option_assign(const struct assignment *, const struct option_row *, const struct option_value *);

/* What a row wants: "a number from 1280 to 65520". Returns buf. */
char *option_describe_type(const struct option_row *, char *buf, size_t size);

#endif
