/* How the option table's rows are written, and the tables that option.c joins. Nobody else
 * includes it. */
#ifndef GATUN_CONF_OPTION_ROWS_H
#define GATUN_CONF_OPTION_ROWS_H

#include <stddef.h>

#include "conf/config.h"
#include "conf/local.h"
#include "conf/option.h"
#include "conf/spec.h"

#define IN_CONFIG(field) HOME_CONFIG, offsetof(struct config, field)
#define IN_SPEC(field) HOME_SERVER, offsetof(struct server_spec, field)
#define IN_LOCAL_SPEC(field) HOME_LOCAL, offsetof(struct local_spec, field)
#define NOWHERE HOME_CONFIG, 0
/* A key without effect in this version. */
#define LATER(key_, where_, doc_) { key_, NULL, 0, NULL, OPTION_LATER, where_, 0, 0, NULL, NOWHERE, NULL, doc_ }
#define INERT(key_, where_, doc_) { key_, NULL, 0, NULL, OPTION_INERT, where_, 0, 0, NULL, NOWHERE, NULL, doc_ }

/* Ended like option_table(): option.c's own come first. */
extern const struct option_row option_rows_up[];

#endif
