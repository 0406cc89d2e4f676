/*
 * The map of fake addresses of this machine's gatun: one for all inbounds and all
 * workers, in a file where that is wanted. With it goes the memory of addresses
 * that were answered for real (dns/seen.h).
 */
#ifndef GATUN_ENGINE_FAKE_NAMES_H
#define GATUN_ENGINE_FAKE_NAMES_H

#include "conf/config.h"
#include "dns/seen.h"
#include "resolve/fakeip.h"

/*
 * Opens it as the config says; once in the process that begins (before workers are forked,
 * which then have it too), later calls change nothing. `keep`: without a "fake_dns_database_path"
 * it stands in the state directory ($STATE_DIRECTORY, else /var/lib/gatun), where that can be
 * written. 0, or -errno, logged: the config names a file that cannot be used.
 */
int fake_names_open(const struct config *, bool keep);
/* NULL before that. */
struct fakeip *fake_names_map(void);
struct dns_seen *fake_names_seen(void);
void fake_names_close(void);

#endif
