/*
 * Runs nft commands through libnftables: each text is one transaction of the
 * kernel's, so that either all of it holds or nothing has changed.
 */
#ifndef GATUN_SYS_NFT_H
#define GATUN_SYS_NFT_H

#include <stddef.h>
#include <stdint.h>

/* 0, or -errno with the first sentence of nft's own complaint; -ELIBACC: there is no libnftables to ask. */
int nft_run(const char *commands, char *err, size_t size);
/* As above, what it prints malloc'ed in *out: for `list` commands. */
int nft_ask(const char *commands, char **out, char *err, size_t size);

#endif
