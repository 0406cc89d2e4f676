/*
 * The ACL files that are in use, each read once however many inbounds name it.
 * A file that has changed since is read again by whoever asks next; who holds
 * the old one keeps it.
 */
#ifndef GATUN_ENGINE_ACLS_H
#define GATUN_ENGINE_ACLS_H

#include "conf/config.h"
#include "outbound/filter.h"
#include "route/acl.h"

/* The list in the file, a reference of the caller's. NULL: the file has errors,
 * which are logged. */
struct acl *engine_acl_get(const char *path);
/* Reads every file that the config names, so that all errors are known before
 * anything is opened. False: there are some, logged. */
bool engine_acls_read(const struct config *);
/* Forgets those that nobody but this table holds. */
void engine_acls_forget(void);
/* The outbound lists, as an outbound asks them; `acl` may be NULL and is borrowed. */
struct target_filter engine_acl_filter(const struct acl *acl);

#endif
