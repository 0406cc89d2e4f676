/* Where the server remembers SIP004's salts: in a file of the state directory, else in
 * memory, which workers share either way. */
#ifndef GATUN_SERVER_SALTS_H
#define GATUN_SERVER_SALTS_H

#include "crypto/salt_table.h"

/* state_dir: what the config says, or NULL: then systemd's $STATE_DIRECTORY, if there is
 * one. NULL: the config's directory cannot be used, or out of memory; the reason is logged. */
struct salt_table *server_salts_open(const char *state_dir);
void server_salts_close(struct salt_table *);

#endif
